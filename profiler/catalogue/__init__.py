"""Devices and workloads as data files, strictly decoded."""
