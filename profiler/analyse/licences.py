"""What the licences of models ask, in a few words. They are a reader's summary: the licence itself decides."""

from __future__ import annotations

_MANY_USERS = (
    "commercial use allowed, but whoever had over 700 million monthly users at its release has to ask Meta"
)
_LLAMA = (
    f'{_MANY_USERS}; show "Built with Llama", pass the licence on, begin the name of a derived model with Llama; an '
    "acceptable use policy binds"
)
_IN_EUROPE = "persons domiciled and companies with their principal place of business in the European Union"

RESTRICTIONS = {
    "Apache-2.0": "commercial use allowed; keep licence and notices, state what was changed",
    "MIT": "commercial use allowed; keep licence and copyright notice",
    "LicenseRef-gemma": "commercial use allowed; a prohibited use policy binds, and is to be passed on with the terms "
    "to whoever gets the model or a derived one",
    "LicenseRef-llama2": f"{_MANY_USERS}; not for improving other language models; pass the licence on; an acceptable "
    "use policy binds",
    "LicenseRef-llama3.1": _LLAMA,
    "LicenseRef-llama3.2": f"{_LLAMA}; of its models that see, no rights for {_IN_EUROPE}",
    "LicenseRef-llama4": f"{_LLAMA}; no rights for {_IN_EUROPE}, other than as end users of a product",
    "LicenseRef-DeepSeek-Model": "commercial use allowed; restrictions of use bind (military use among them), and "
    "are to be passed on",
}
"""By SPDX identifier, or LicenseRef-* as the catalogue of models writes them."""

SUMMARY = "edgeprof's summary; the licence itself decides"
NO_SUMMARY = "no summary of this licence is known: read it"
