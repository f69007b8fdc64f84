"""Hearing of a shutdown over D-Bus, from a bus of the test's own: it answers, tells, and goes away."""

import asyncio
import os

import pytest
from jeepney import DBusAddress, MessageType, new_method_return, new_signal
from jeepney.low_level import HeaderFields, Parser

from kubelet import systemd
from kubelet.logind import Logind

LOGIND = DBusAddress("/org/freedesktop/login1", interface="org.freedesktop.login1.Manager")


class Bus:
    """Takes one client after the other."""

    def __init__(self):
        self.clients, self.listening = [], asyncio.Event()
        self.preparing = False

    async def serve(self, reader, writer):
        await reader.readline()  # AUTH
        writer.write(b"OK 0123456789abcdef0123456789abcdef\r\n")
        await reader.readline()  # BEGIN
        self.clients.append(writer)
        parser, serial = Parser(), 0
        while data := await reader.read(1024):
            for message in parser.feed(data):
                if message.header.message_type is MessageType.method_call:
                    serial += 1
                    name = message.header.fields[HeaderFields.member]
                    signature, body = ("s", (":1.1",)) if name in ("Hello", "GetId") else (None, ())
                    if name == "Get":
                        signature, body = "v", (("b", self.preparing),)
                    writer.write(new_method_return(message, signature, body).serialise(serial))
                    if name == "AddMatch":
                        self.listening.set()

    def tell(self, begins):
        self.clients[-1].write(new_signal(LOGIND, "PrepareForShutdown", "b", (begins,)).serialise(1000))


@pytest.fixture
async def bus(tmp_path, monkeypatch):
    found = Bus()
    path = tmp_path / "bus"
    server = await asyncio.start_unix_server(found.serve, path)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={path}")
    monkeypatch.setattr(systemd, "is_running", lambda: True)
    monkeypatch.setattr(systemd, "delay_shutdown", lambda _seconds: systemd.Delay(os.open("/dev/null", os.O_RDONLY)))
    async with server:
        yield found


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_shutdown_begins_and_is_called_off(bus):
    told = []
    logind = Logind(seconds=30, begun=asyncio.Event(), tell=told.append)
    task = asyncio.create_task(logind.run())
    await bus.listening.wait()
    await until(lambda: logind._delay is not None)
    bus.tell(begins=True)
    await asyncio.wait_for(logind.begun.wait(), 60)
    bus.tell(begins=False)
    await until(lambda: not logind.begun.is_set())
    assert [text.split()[-1] for text in told] == ["event", "cancellation"]
    task.cancel()


async def test_a_bus_that_goes_away_is_noticed_and_asked_again(bus):
    logind = Logind(seconds=30, begun=asyncio.Event(), tell=lambda _text: None, ask=0.05, again=0.05)
    task = asyncio.create_task(logind.run())
    await until(lambda: logind._delay is not None)
    first, held = len(bus.clients), logind._delay
    bus.clients[-1].close()
    await until(lambda: len(bus.clients) > first and logind._delay not in (None, held))
    assert not task.done()
    task.cancel()


@pytest.mark.parametrize("preparing", [True, False])
async def test_a_bus_that_goes_away_amid_a_shutdown_does_not_let_it_go_on(bus, preparing):
    logind = Logind(seconds=30, begun=asyncio.Event(), tell=lambda _text: None, ask=0.05, again=0.05)
    task = asyncio.create_task(logind.run())
    await until(lambda: logind._delay is not None)
    bus.tell(begins=True)
    await asyncio.wait_for(logind.begun.wait(), 60)
    first, held = len(bus.clients), logind._delay
    bus.preparing = preparing
    bus.clients[-1].close()
    if preparing:  # it goes on, and so does the wait for it
        await until(lambda: len(bus.clients) > first)
        assert (logind.begun.is_set(), logind._delay) == (True, held)
    else:  # it was called off while nobody listened
        await until(lambda: not logind.begun.is_set() and logind._delay is not None and logind._delay is not held)
    task.cancel()
