"""What the licences of models ask, in a few words. They are a reader's summary: the licence itself decides."""

from __future__ import annotations

_LLAMA = (
    'commercial use up to 700 million monthly users; show "Built with Llama", begin the name of a derived model '
    "with Llama; an acceptable use policy binds"
)

RESTRICTIONS = {
    "Apache-2.0": "commercial use allowed; keep licence and notices, state what was changed",
    "MIT": "commercial use allowed; keep licence and copyright notice",
    "LicenseRef-gemma": "commercial use allowed; a prohibited use policy binds, and is to be passed on to whoever gets "
    "the model or a derived one",
    "LicenseRef-llama2": "commercial use up to 700 million monthly users; not for improving other language models; an "
    "acceptable use policy binds",
    "LicenseRef-llama3.1": _LLAMA,
    "LicenseRef-llama3.2": _LLAMA,
    "LicenseRef-llama4": f"{_LLAMA}; no rights for persons domiciled and companies seated in the European Union",
    "LicenseRef-DeepSeek-Model": "commercial use allowed; restrictions of use bind (military use among them), and "
    "are to be passed on",
}
"""By SPDX identifier, or LicenseRef-* as the catalogue of models writes them."""

SUMMARY = "edgeprof's summary; the licence itself decides"
NO_SUMMARY = "no summary of this licence is known: read it"
