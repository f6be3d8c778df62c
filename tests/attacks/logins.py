"""Logins that are refused, or are never finished."""
import socket

from attacker import Failure, method, wire


def start(user="guest", password="guest", properties=None):
    return wire.PROTOCOL + method("connection.start-ok", 0, mechanism="PLAIN", locale="en_US",
                                  response=f"\0{user}\0{password}", properties=properties or {})


def opened(vhost="/", **how):
    return start(**how) + method("connection.tune-ok", 0, channel_max=1, frame_max=131072) \
        + method("connection.open", 0, vhost=vhost)


def answer_to(port, data, patience_s=20):
    """All that the broker says until it closes, or until it has said connection.close."""
    with socket.create_connection(("127.0.0.1", port), patience_s) as client:
        client.settimeout(patience_s)
        said = b""
        try:
            client.sendall(data)
            while b"\x00\x0a\x00\x32" not in said:
                part = client.recv(65536)
                if not part:
                    break
                said += part
        except TimeoutError as error:
            raise Failure(f"a login is not answered within {patience_s} s") from error
        except ConnectionError:
            pass
        return said


def refused_login(port, user="guest", password="wrong", patience_s=20):
    return answer_to(port, start(user, password), patience_s)
