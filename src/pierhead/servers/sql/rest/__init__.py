"""REST over a source: a second host of the tools, at `/api/v1`, with its OpenAPI document and page.

`routes.py` leads a request to what answers it; every answer is made inside one governed call of a tool. Not here:
what may be read (policy, lanes), who asks (the SDK's host).
"""
