"""What the relay tells of itself, for Prometheus: made when it is scraped, and only then.

``exposition`` alone needs the library, and is loaded where there is an HTTP socket.
"""
