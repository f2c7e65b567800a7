"""Accounts: who may enter a studio that others can reach, and how they prove who they are.

access       Decide how a studio is entered: by a link with a token, or by accounts.
invitations  Invite people by link, and let them choose a password once.
passwords    Hash and verify passwords.
sessions     Begin, find and end sessions.
sign_in      Sign in with a password; let a guess wait longer each time.
"""
