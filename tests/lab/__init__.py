"""A laboratory of real stacks: it makes captures together with the truth about them.

Knows nothing of ctcp_forensics and must not: the truth comes from logs, never from the analyzer.
Read the files in this order: segment, net, link, messages, ctcp_endpoint, middlebox, applications,
scenarios, truth, record, distort, publish.
"""
