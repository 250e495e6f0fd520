"""Plugins of pytest that the projects of these tests have no use for, and that take a second to load."""

WITHOUT_OTHERS = [f"-pno:{plugin}" for plugin in ("cacheprovider", "schemathesis", "hypothesispytest", "faker")]
