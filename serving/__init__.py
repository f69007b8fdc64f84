"""What every server process of PyKube shares: the HTTPS server, health, logs, process life, and the stream protocols.

    https, asgi, process, health, logs     a server, its answers, its life, its checks, its words
    raw                                    a connection as bytes, after an upgrade
    spdy, spdy_session, websocket          the two framings: codec, sessions, sockets
    channels (spdy_, websocket_)           exec and attach: stdin, stdout, stderr, error, resize on either framing
    portforward                            port-forward on either framing
    dialer, remote                         the client's side of all of it

It knows neither kinds nor clusters.
"""
