"""Words that steps of advice share: where a command belongs, what a look costs, where a sentence comes from."""

ON_THE_FIREWALL = "! on the firewall in the path, if it is an ASA"

# Only looks: nothing is changed, so there is nothing to take back.
LOOKS_ONLY = "None: it only looks."
NOTHING_CHANGED = ("Nothing was changed.",)

GUIDES = "Cisco ASA command references and guides; no fix of TAC 113578"
NOT_CONFIRMED = "is not confirmed by the sources read"
PRACTICE = "General practice of troubleshooting, from no single document; no fix of TAC 113578"
