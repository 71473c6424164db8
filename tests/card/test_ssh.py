"""Operators at thin clients, over a real sshd that is set up with the files of `deploy/`."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from eport_tui.card import pcsc, signatures
from eport_tui.card.authority import TestAuthority
from tests.card.control_server import StandIn, StandInCard, running
from tests.card.making import make_holder
from tests.card.piv_making import PIN, make_piv
from tests.card.ssh_machines import EPORT_UID, HOST, OPERATOR_UID, Server, ThinClient, until
from tests.pty.desk import ENTERPRISE_GRANTS, Desk

pytestmark = pytest.mark.card

PROGRAM = "/opt/eport-tui/bin/eport-tui"
WITH_SETTINGS = (PROGRAM, "--config", "/etc/eport/config.toml")
FIRST, SECOND, SERVERS_OWN = "8900000000011", "8900000000028", "8900000000059"
AT_THE_CONTROL = "8900000000042"
BROKER = "3101940099,91310000PDY000028G,上海乙报关有限公司"
NO_TERMINAL = "请在终端中运行本程序"


@dataclass
class Place:
    """A server, with a reader of its own, and two thin clients with a card each."""

    server: Server
    first: ThinClient
    second: ThinClient


@pytest.fixture(scope="module")
def place(authority: TestAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("ssh")
    first, second = ThinClient(folder / "first"), ThinClient(folder / "second")
    server = Server(folder / "server", [first.public_key, second.public_key])
    with ExitStack() as running_services:
        for machine in (first, second, server):
            running_services.callback(machine.stop)
        authority.publish(server.path("/etc/eport/trust"))
        subprocess.run(["chmod", "-R", "a+rX", server.path("/etc/eport/trust")], check=True)
        for machine, number in ((first, FIRST), (second, SECOND), (server, SERVERS_OWN)):
            machine.start_pcscd(make_piv(authority, number=number))
        for client in (first, second):
            client.know(server)
        server.start_sshd()
        server.write("/run/enterprises.csv", f"海关编码,社会信用代码,企业名称\n{BROKER}\n")
        imported = server.run(
            *WITH_SETTINGS, "registry", "import", "/run/enterprises.csv", uid=EPORT_UID
        )
        assert imported.returncode == 0, imported.stderr
        yield Place(server, first, second)


@pytest.fixture
def server(place: Place) -> Iterator[Server]:
    """The server; at the end nobody is logged in, and nothing of anybody is left."""
    yield place.server
    until(lambda: not place.server.programs(), "the end of all sessions")
    for path in place.server.sockets:
        path.unlink()


@pytest.fixture
def first(place: Place, server: Server) -> ThinClient:
    return place.first


@pytest.fixture
def second(place: Place, server: Server) -> ThinClient:
    return place.second


@pytest.fixture
def sit_down(server: Server) -> Iterator[Callable[..., Desk]]:
    """Run a command of a thin client on a terminal."""
    with ExitStack() as desks:
        yield lambda argv, **more: desks.enter_context(Desk(argv, env=more, cwd="/"))


def log_in(desk: Desk) -> None:
    desk.wait_for("请输入密码")
    desk.send(f"{PIN.decode()}\r")


def kill(desk: Desk) -> None:
    """End `ssh` without any farewell, as when the power goes."""
    desk.signal(signal.SIGKILL)


def make_stale(path: Path) -> None:
    """Have a socket look as if it had been made some minutes ago."""
    then = time.time() - 300
    os.utime(path, (then, then))


# Whose card


def test_each_operator_sees_the_own_card_alone_and_logs_in_with_it(first, second, sit_down) -> None:
    desks = {FIRST: sit_down(first.eport()), SECOND: sit_down(second.eport())}
    for number, desk in desks.items():
        desk.wait_for("请输入密码")
        shown = "\n".join(desk.lines())
        assert [each for each in (FIRST, SECOND, SERVERS_OWN) if each in shown] == [number]
    for desk in desks.values():
        log_in(desk)
        desk.wait_place("主选单")


def test_a_card_that_is_pulled_at_the_desk_locks_the_program(first, sit_down, authority) -> None:
    desk = sit_down(first.eport())
    log_in(desk)
    desk.wait_place("主选单")
    pulled = time.monotonic()
    first.pull()
    try:
        desk.wait_for("卡已拔出")
        print(f"pulled at the client, locked on its screen: {time.monotonic() - pulled:.3f} s")
        assert time.monotonic() - pulled < 2
    finally:
        first.insert(make_piv(authority, number=FIRST))


def test_the_servers_own_reader_is_not_used_in_place_of_a_forwarded_one(
    server, first, sit_down
) -> None:
    usable = server.run(*WITH_SETTINGS, "card", "show", "--reader", uid=EPORT_UID)
    assert SERVERS_OWN in usable.stdout
    desk = sit_down(first.ssh("-t", HOST))
    desk.wait_for(pcsc.NO_FORWARD)
    desk.wait_for("暂无数据")


def test_settings_of_the_program_cannot_be_brought_along(server, first, sit_down) -> None:
    brought = (
        "EPORT_TUI_ALLOW_SERVER_READER=1 PCSCLITE_CSOCK_NAME=/run/pcscd/pcscd.comm LC_ALL=C"
        " EPORT_TUI_DATABASE=/tmp/other.db"
    )
    agent = first.start("ssh-agent", "-D", "-a", "/run/agent")
    until(first.path("/run/agent").exists, "ssh-agent")
    os.chown(first.path("/run/agent"), OPERATOR_UID, OPERATOR_UID)
    desk = sit_down(
        first.ssh("-t", "-A", "-o", f"SetEnv={brought}", HOST), SSH_AUTH_SOCK="/run/agent"
    )
    desk.wait_for(pcsc.NO_FORWARD)
    (program,) = server.programs()
    environment = Path(f"/proc/{program}/environ").read_text()
    for each in (*brought.split(), "SSH_AUTH_SOCK", "DISPLAY"):
        assert each.partition("=")[0] + "=" not in environment, each
    assert agent.poll() is None


@pytest.mark.parametrize(("mode", "owner"), [(0o660, EPORT_UID), (0o602, EPORT_UID), (0o600, 0)])
def test_a_socket_that_is_not_the_accounts_alone_is_refused(
    server, first, sit_down, mode: int, owner: int
) -> None:
    name = "0123456789abcdef" * 2
    path = server.path(f"/run/eport/{name}.pcsc")
    os.mknod(path, stat.S_IFSOCK | 0o600)
    os.chown(path, owner, owner)
    path.chmod(mode)
    desk = sit_down(first.ssh("-t", "-o", f"SetEnv=EPORT_SESSION={name}", HOST))
    desk.wait_for(pcsc.FOREIGN_SOCKET)


@pytest.mark.parametrize(
    "name", ["abc", "0123456789ABCDEF" * 2, "a" * 33, f"../eport/{'a' * 23}", "$(id)"]
)
def test_a_name_that_the_launcher_does_not_make_is_not_looked_at(
    server, first, sit_down, name: str
) -> None:
    with suppress(FileNotFoundError):
        os.mknod(server.path(f"/run/eport/{name}.pcsc"), stat.S_IFSOCK | 0o666)
    desk = sit_down(first.ssh("-t", "-o", f"SetEnv=EPORT_SESSION={name}", HOST))
    desk.wait_for(pcsc.NO_FORWARD)


def test_each_connection_has_a_name_of_its_own(server, first, sit_down) -> None:
    names: set[str] = set()
    for count in (1, 2):
        desk = sit_down(first.eport())
        desk.wait_for("请输入密码")
        names |= {path.name for path in server.sockets}
        assert len(names) == count
    assert all(len(name) == 32 + len(".pcsc") for name in names)


# Other operators, with any client they like


def test_nobody_takes_the_place_of_anothers_socket(server, first, second, sit_down) -> None:
    desk = sit_down(first.eport())
    desk.wait_for("请输入密码")
    (path,) = server.sockets
    before = path.stat()
    taking = second.call("-N", "-R", f"/run/eport/{path.name}:/run/pcscd/pcscd.comm", HOST)
    assert taking.returncode == 255
    assert "remote port forwarding failed" in taking.stderr
    assert (path.stat().st_ino, path.stat().st_ctime_ns) == (before.st_ino, before.st_ctime_ns)
    assert stat.S_IMODE(before.st_mode) == 0o600
    log_in(desk)
    desk.wait_place("主选单")


def test_a_forward_removes_no_file(server, second) -> None:
    for place in ("/var/lib/eport/eport.db", "/etc/eport/config.toml", "/etc/eport/new"):
        path = server.path(place)
        before = path.stat().st_ino if path.exists() else None
        taking = second.call("-N", "-R", f"{place}:/run/pcscd/pcscd.comm", HOST)
        assert taking.returncode == 255
        assert (path.stat().st_ino if path.exists() else None) == before


def test_nobody_connects_to_anothers_socket(server, first, second, sit_down) -> None:
    sit_down(first.eport()).wait_for("请输入密码")
    (path,) = server.sockets
    with forwarding(second, "-L", f"127.0.0.1:7001:/run/eport/{path.name}"):
        assert first_bytes(7001, b"?") == b""
    assert "refused" in server.log.read_text().splitlines()[-1]


# What an account with one program does not do


def test_a_command_is_not_run(server, first, sit_down) -> None:
    for command in (("id",), ("/bin/sh",), ("-s", "sftp")):
        done = first.call(*command[:-1], HOST, command[-1])
        assert done.returncode != 0
        assert "uid=" not in done.stdout + done.stderr
    assert NO_TERMINAL in first.call(HOST, "id").stderr
    sit_down(first.ssh("-t", HOST, "id")).wait_for(pcsc.NO_FORWARD)


def test_files_are_not_transferred(server, first) -> None:
    def scp(*words: str) -> int:
        return first.call(*words, program="scp").returncode

    for way in ((), ("-O",)):
        assert scp(*way, "/etc/hosts", f"{HOST}:sent")
        assert scp(*way, f"{HOST}:/etc/eport/config.toml", "/run/operator/fetched")
    assert first.call(HOST, program="sftp").returncode
    assert not server.path("/var/lib/eport/sent").exists()
    assert not first.path("/run/operator/fetched").exists()


def test_no_port_is_forwarded(server, first) -> None:
    listening = first.call("-N", "-R", "127.0.0.1:7001:127.0.0.1:22", HOST)
    assert listening.returncode == 255
    assert "remote port forwarding failed" in listening.stderr
    with forwarding(first, "-L", "127.0.0.1:7001:127.0.0.1:22"):
        assert first_bytes(7001) == b""
    with forwarding(first, "-D", "127.0.0.1:7001"):
        socks4 = b"\x04\x01" + (22).to_bytes(2) + bytes([127, 0, 0, 1]) + b"\0"
        assert b"SSH-" not in first_bytes(7001, socks4)
    assert "administratively prohibited" in first.call("-W", "127.0.0.1:22", HOST).stderr


def test_nobody_enters_without_a_key_that_is_listed(server, first) -> None:
    key = "/run/operator/.ssh/other"
    path = first.path(key)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    os.chown(path, OPERATOR_UID, OPERATOR_UID)
    for way in ("PubkeyAuthentication=no", "IdentityFile=none"):
        refused = first.call("-o", way, "-o", f"IdentityFile={key}", HOST, with_key=False)
        assert "Permission denied (publickey)" in refused.stderr


def test_the_settings_hold_for_the_account_and_for_nobody_else(server) -> None:
    def effective(user: str) -> str:
        told = server.run("/usr/sbin/sshd", "-T", "-C", f"user={user},host=h,addr=127.0.0.1")
        assert told.returncode == 0, told.stderr
        return told.stdout

    eport = effective("eport").splitlines()
    for line in (
        *("x11forwarding no", "allowagentforwarding no", "permittunnel no", "permituserrc no"),
        *("streamlocalbindunlink no", "permituserenvironment no", "gatewayports no"),
        *("acceptenv EPORT_SESSION", "maxsessions 1", "disableforwarding no"),
    ):
        assert line in eport
    assert [line for line in eport if line.startswith("acceptenv")] == ["acceptenv EPORT_SESSION"]
    assert "forcecommand none" in effective("root")
    assert "acceptenv LANG" in effective("root")


# The end of a session


def test_a_killed_connection_ends_the_program_and_loses_nothing(server, first, sit_down) -> None:
    desk = sit_down(first.eport())
    log_in(desk)
    desk.wait_place("主选单")
    desk.send(f"{ENTERPRISE_GRANTS}3101940099\r")
    desk.wait_value("代理企业名称", "上海乙报关有限公司")
    (left,) = server.sockets
    killed = time.monotonic()
    kill(desk)
    until(lambda: not server.programs(), "the end of the program")
    print(f"ssh killed, program ended: {time.monotonic() - killed:.3f} s")

    make_stale(left)
    desk = sit_down(first.eport())
    log_in(desk)
    desk.wait_for("上次未保存的录入")
    desk.press("y")
    desk.wait_value("代理企业名称", "上海乙报关有限公司")
    assert left not in server.sockets
    assert len(server.sockets) == 1


def test_what_a_connection_without_a_session_leaves_is_cleared_away(
    server, first, second, sit_down
) -> None:
    squatted = server.path("/var/lib/eport/squatted")
    in_use = sit_down(first.eport())
    in_use.wait_for("请输入密码")
    (used,) = server.sockets
    with forwarding(second, "-R", "/var/lib/eport/squatted:/run/pcscd/pcscd.comm"):
        until(squatted.exists, "the socket")
    for path in (squatted, used):
        make_stale(path)
    sit_down(second.eport()).wait_for("请输入密码")
    assert not squatted.exists()
    assert used in server.sockets
    log_in(in_use)
    in_use.wait_place("主选单")


def test_a_closed_server_says_so_and_opens_nothing(server, first, sit_down) -> None:
    server.write("/etc/eport/closed", "系统维护中，请稍后再来\n")
    try:
        desk = sit_down(first.eport())
        desk.wait_for("系统维护中")
        assert desk.exit_code() == 1
    finally:
        server.path("/etc/eport/closed").unlink()


# The vendor's control


def test_a_card_at_the_desks_control_logs_in(server, first, sit_down, authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.certify(
        make_holder(number=AT_THE_CONTROL), key.public_key(), software=False
    )
    card = StandInCard(
        AT_THE_CONTROL,
        certificate.public_bytes(Encoding.DER),
        lambda data: signatures.sign(key, data),
    )
    settings = first.path("/etc/eport/ssh_config")
    shipped = settings.read_text()
    with running(StandIn(card=card)) as control:
        only_control = shipped.replace("RemoteForward", "#RemoteForward")
        only_control = only_control.replace("##RemoteForward", "RemoteForward")
        settings.write_text(only_control.replace("127.0.0.1:61232", control.address[5:]))
        try:
            desk = sit_down(first.eport())
            desk.wait_for(AT_THE_CONTROL)
            desk.wait_for("请输入密码")
            (path,) = server.sockets
            assert path.suffix == ".control"
            desk.send(f"{card.pin}\r")
            desk.wait_place("主选单")
        finally:
            settings.write_text(shipped)


# Means


class forwarding(ExitStack):
    """A connection that only forwards, until it is left."""

    def __init__(self, client: ThinClient, option: str, value: str) -> None:
        super().__init__()
        self._argv = client.ssh("-v", "-N", option, value, HOST)

    def __enter__(self) -> forwarding:
        process = subprocess.Popen(
            self._argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/"
        )
        assert process.stderr is not None
        for line in process.stderr:
            if "Entering interactive session" in line:
                break
        self.callback(process.wait)
        self.callback(process.kill)
        return self


def first_bytes(port: int, sent: bytes = b"") -> bytes:
    """What comes first from a port of this machine; nothing when it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        with suppress(ConnectionResetError):
            return connection.recv(64)
    return b""
