"""How the outside drives the relay: ng and JSON-RPC in, typed requests to the sessions."""
