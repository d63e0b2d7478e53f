"""`sttd install`, as far as no systemd is needed: into a folder, as a packager does, and without doing anything."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sttd import configfile
from sttd.cli import extra
from sttd.cli.app import main
from sttd.cli.help import topics
from sttd.install import items, reach, share


@pytest.fixture
def install(tmp_path, capsys):
    """One `sttd install` below `tmp_path`; what it told."""

    def run(*words: str, code: int = 0) -> list[str]:
        with pytest.raises(SystemExit) as ended:
            main(["install", "--destdir", str(tmp_path), *words])
        captured = capsys.readouterr()
        assert int(ended.value.code or 0) == code, captured.err
        return (captured.err if code else captured.out).splitlines()

    return run


def files(top: Path) -> set[str]:
    return {f"/{path.relative_to(top)}" for path in top.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_every_file_is_told_and_none_is_written_twice(install, tmp_path):
    told = {line.split()[-1].removeprefix(str(tmp_path)) for line in install()}
    assert told == files(tmp_path)
    assert {line.split()[0] for line in install()} == {"unchanged"}


def test_the_topics_of_help_are_man_pages(install, tmp_path):
    install()
    manual = {path for path in files(tmp_path) if "/man/" in path}
    assert {f"/usr/local/share/man/man7/sttd-{topic}.7" for topic in topics()} | {
        "/usr/local/share/man/man8/sttd.8"
    } == manual


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o077])
def test_modes_do_not_depend_on_the_umask(install, tmp_path, umask):
    """Under 077 the service could not read its configuration, under 000 anybody could change it."""
    before = os.umask(umask)
    try:
        install("--drop-in", "gpu", "--instance", "office")
        (tmp_path / "etc/sttd/sttd.toml").write_text("# mine\n")
        install("--drop-in", "folder", "/mnt/nas")
        for path in tmp_path.rglob("*"):
            if not path.is_symlink():
                expected = {0o755} if path.is_dir() else {0o644}
                assert stat.S_IMODE(path.stat().st_mode) in expected, path
        unit = tmp_path / "etc/systemd/system/sttd.service"
        unit.chmod(0o600)
        unit.parent.with_name("system").joinpath("sttd.service.d").chmod(0o777)
        assert f"replaced   {unit}" in install("--drop-in", "gpu")
        (tmp_path / "etc/systemd/system/sttd.service.d/gpu.conf").unlink()
        install("--drop-in", "gpu")
    finally:
        os.umask(before)
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    assert stat.S_IMODE((unit.parent / "sttd.service.d").stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("folder", "lines"),
    [
        ("/mnt/nas drive/100%", ['ReadWritePaths="-/mnt/nas drive/100%%"']),
        ("/home/alice/recordings", ["ProtectHome=tmpfs", 'BindPaths="-/home/alice/recordings"']),
    ],
)
def test_a_folder_is_opened_by_a_drop_in_that_is_its_own(install, tmp_path, folder, lines):
    install("--drop-in", "folder", folder, "/mnt/other")
    install("--drop-in", "folder", "/mnt/third", "--instance", "office")
    found = sorted((tmp_path / "etc/systemd/system/sttd.service.d").iterdir())
    assert len(found) == 2
    (text,) = [path.read_text() for path in found if "other" not in path.name]
    assert set(lines) < set(text.splitlines())
    assert len(list((tmp_path / "etc/systemd/system/sttd@office.service.d").iterdir())) == 1
    install("--uninstall")
    assert not list((tmp_path / "etc/systemd/system").iterdir())


def test_the_page_is_installed_where_its_packages_are_and_removed_everywhere(install, tmp_path, monkeypatch):
    """Its service, its user, and a way to the folders that were opened to the daemon."""
    unit, user = tmp_path / "etc/systemd/system/sttd-web.service", tmp_path / "usr/lib/sysusers.d/sttd-web.conf"
    monkeypatch.setattr(extra, "WEB", ("sys",))
    install("--drop-in", "folder", "/mnt/nas")
    assert "ExecStart=" in unit.read_text()
    assert "m sttd-web sttd" in user.read_text()
    assert len(list(unit.with_name("sttd-web.service.d").iterdir())) == 1
    monkeypatch.setattr(extra, "WEB", ("there_is_no_such_package",))
    assert "the user sttd, sttd-web, " in install("--uninstall")[-1]
    assert files(tmp_path) == set()
    told = [line for line in install("--drop-in", "folder", "/mnt/nas") if "/man7/" not in line]
    assert not any("sttd-web" in line for line in told)


@pytest.mark.parametrize("words", [["--drop-in", "folder"], ["/mnt/nas"], ["--drop-in", "folder", "/"],
                                   ["--drop-in", "folder", "/tmp/x"], ["--drop-in", "folder", "/mnt/a:b"],
                                   ["--drop-in", "folder", "/mnt/a\nb"]])  # fmt: skip
def test_a_folder_that_cannot_be_opened_is_refused(install, tmp_path, words):
    install(*words, code=2)
    assert files(tmp_path) == set()


def test_a_dry_run_tells_the_same_and_does_nothing(install, tmp_path):
    told = install("--dry-run")
    assert files(tmp_path) == set()
    assert told == install()


def test_a_configuration_is_never_overwritten(install, tmp_path):
    install()
    config = tmp_path / "etc/sttd/sttd.toml"
    ours = config.read_text()
    config.write_text("[pool]\nworkers = 2\n")
    install()
    assert config.read_text() == "[pool]\nworkers = 2\n"
    assert config.with_name("sttd.toml.new").read_text() == ours


def test_an_uninstallation_leaves_a_configuration_that_was_changed_and_nothing_else(install, tmp_path):
    install("--drop-in", "gpu", "--instance", "meeting")
    (tmp_path / "etc/sttd/meeting.toml").write_text("# mine\n")
    install()
    install("--uninstall")
    assert files(tmp_path) == {"/etc/sttd/meeting.toml"}


def test_somebody_elses_command_is_left_alone(install, tmp_path):
    command = tmp_path / "usr/local/bin/sttd"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    install()
    install("--uninstall")
    assert command.read_text() == "#!/bin/sh\n"


def test_the_configuration_names_the_folders_of_the_service(tmp_path):
    """So that `sttd status` finds the ledger without systemd's $STATE_DIRECTORY."""
    path = tmp_path / "sttd.toml"
    path.write_text(items.config_text("sttd-meeting"))
    paths = configfile.load(path, environ={}).paths
    assert (paths.inbox, paths.state) == (Path("/srv/sttd-meeting/inbox"), Path("/var/lib/sttd-meeting"))


@pytest.mark.parametrize("name", ["sttd", "web", "../x", "a/b", "", "Meeting", "a b", "x@y", "-x"])
def test_an_instance_has_a_plain_name(install, name, tmp_path):
    assert "choose a name" in install("--instance", name, code=2)[0]
    assert files(tmp_path) == set()


def test_a_configuration_on_the_command_line_is_refused_not_ignored(install, tmp_path):
    assert "/etc/sttd" in install("--set", "pool.workers=2", code=2)[0]
    assert files(tmp_path) == set()


def test_a_unit_runs_this_sttd_however_its_path_is_spelt():
    """systemd.service(5): % and $ are doubled, blanks are quoted."""
    text = items.unit_text("sttd.service", ["/opt/my sttd/100%/$x/bin/python", "-P", "-m", "sttd"])
    assert 'ExecStart="/opt/my sttd/100%%/$$x/bin/python" -P -m sttd --config /etc/sttd/sttd.toml run\n' in text
    assert items.SHIPPED not in text


@pytest.mark.parametrize("shell", items.COMPLETIONS)
def test_each_shell_gets_its_completion(install, tmp_path, shell):
    install()
    text = (tmp_path / items.COMPLETIONS[shell].relative_to("/")).read_text()
    assert "_STTD_COMPLETE" in text


def test_the_completion_of_bash_completes(install, tmp_path):
    """Asked by a real bash, which runs this sttd."""
    install()
    script = tmp_path / items.COMPLETIONS["bash"].relative_to("/")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "sttd"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m sttd "$@"\n')
    command.chmod(0o755)
    ask = f'source {script}; COMP_WORDS=(sttd che); COMP_CWORD=1; _sttd_completion sttd; echo "${{COMPREPLY[@]}}"'
    environ = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", ask], env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["check-config"], done.stderr


def test_what_the_service_cannot_read_is_named_with_the_folder_that_is_in_the_way():
    assert reach.problem(Path("/usr/bin/env")) is None
    assert "ProtectHome=" in str(reach.problem(Path("/root/x/bin/python")))
    assert "PrivateTmp=" in str(reach.problem(Path("/tmp/x/bin/sttd")))


def test_closed_folders_and_links_into_them_are_seen(tmp_path, monkeypatch):
    """The modes for all others count, on every step of the way, also behind links."""
    monkeypatch.setattr(reach, "HIDDEN", {})
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)  # pytest's own
    (tmp_path / "closed").mkdir(mode=0o750)
    (tmp_path / "closed" / "python").write_text("")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "python").symlink_to("../closed/python")
    (tmp_path / "secret").write_text("")
    (tmp_path / "secret").chmod(0o640)
    assert f"{tmp_path}/closed is closed to other users (mode 0750)" in str(reach.problem(tmp_path / "venv" / "python"))
    assert "may not be read by other users (mode 0640)" in str(reach.problem(tmp_path / "secret"))
    (tmp_path / "closed").chmod(0o755)
    assert reach.problem(tmp_path / "venv" / "python") is None


def test_a_python_that_the_service_cannot_read_ends_it_with_what_to_do(tmp_path_factory):
    """This one lies in a folder that the service does not see."""
    python = tmp_path_factory.mktemp("below tmp") / "python"
    python.symlink_to(sys.executable)
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [python, "-m", "sttd", "install", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 1
    assert f"{python}: the service has a folder of its own there (PrivateTmp=)" in done.stderr
    assert "virtual environment of /usr/bin/python3 in /opt/sttd" in done.stderr


def test_drop_ins_are_found_in_the_checkout_and_named():
    assert share.drop_ins() == ["gpu", "inbox-mount", "ray", "remote"]


def test_a_network_is_opened_to_one_service_alone_and_that_is_said(install, tmp_path):
    said = "has a network from its next start on, for the commands of [[pool.remote]] tables"
    assert install("--drop-in", "remote", "--dry-run")[-1].startswith(f"sttd.service {said}")
    assert files(tmp_path) == set()
    assert not any(said in line for line in install("--drop-in", "gpu"))
    assert any(
        line.startswith(f"sttd@office.service {said}")
        for line in install("--drop-in", "remote", "--instance", "office")
    )
    units = tmp_path / "etc/systemd/system"
    assert sorted(units.glob("*/remote.conf")) == [units / "sttd@office.service.d/remote.conf"]
    install("--uninstall")
    assert files(tmp_path) == set()


def test_a_dry_run_says_what_would_be_refused(capsys, monkeypatch):
    """After the list: a Python that the service cannot read, and that only root may install."""
    from sttd.cli.app import main

    monkeypatch.setattr(reach, "problem", lambda path: f"{path}: the service sees no home folder (ProtectHome=)")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit) as ended:
        main(["install", "--dry-run"])
    out, err = capsys.readouterr()
    assert ended.value.code == 1
    assert "/etc/sttd/sttd.toml" in out
    assert "without --dry-run this is refused: only root may do this: sudo sttd install" in err
    assert "the service could not read this sttd" in err
    with pytest.raises(SystemExit) as ended:
        main(["install"])
    assert ended.value.code == 1
    assert capsys.readouterr().out == ""
