"""Everything the program says to GitHub, and nothing about what it means: one client, its errors, its payloads."""

from bot.github.app_token import AppCredentials
from bot.github.client import GitHub
from bot.github.repository import Files, RepositoryClient

__all__ = ["AppCredentials", "Files", "GitHub", "RepositoryClient"]
