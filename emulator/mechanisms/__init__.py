"""Nameless mechanisms: each one idea, none of them knows a provider or an exchange."""
