"""Devices, models and workloads as data files, strictly decoded."""
