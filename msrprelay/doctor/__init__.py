"""The failed call explained from a capture: findings with packets, cause and remedy.

Nothing here touches the network or needs the running relay. Packets become typed connections,
transactions and dialogs; rules are pure functions over those; the rest is presentation.
"""
