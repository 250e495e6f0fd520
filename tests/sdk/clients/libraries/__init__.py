"""One module a client library: how a user of it asks what `questions` has.

Each class is a `Library` and offers some of `chat stream tools structured structured_stream completion embeddings` and
their asynchronous twins `achat astream …`. A text is a string, a stream the list of its pieces, a structure plain data,
an embedding a list of numbers. The libraries are imported where they are used: most are in no environment but those of
`make test-clients`, and no environment holds them all, since they ask for different versions of openai.
"""
