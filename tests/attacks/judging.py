"""Runs one attack, and says what is wrong."""
import os
import signal
import time
import traceback

import scene as scenes
from attacker import Failure

NAMES = ("confirm", "delivery", "round_trip", "login")


class Overdue(BaseException):
    """Nothing that waits in an attack takes it for an error of its own."""


def on_alarm(*_):
    raise Overdue


def run(attack, directory=None, verbose=False):
    """What is wrong, as lines, and what was measured."""
    scene = scenes.Scene(attack, directory)
    began, wrong = time.monotonic(), []
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, attack.bound_s * scenes.SLOWER)
    try:
        act(scene, wrong)
    except (Failure, AssertionError) as error:
        wrong.append(str(error) or repr(error))
    except Exception:  # whatever it is, the others are to be tried
        wrong.append(" / ".join(traceback.format_exc().splitlines()[-4:]))
    except Overdue as error:
        places = [f"{os.path.basename(frame.filename)}:{frame.lineno}"
                  for frame in traceback.extract_tb(error.__traceback__)[-4:-1]]
        wrong.append(f"not over after {attack.bound_s} s, in {' '.join(places)}")
    signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        scene.end_probe()
        scene.look_at_memory()
        wrong += judge(scene)
    except OSError as error:
        wrong.append(f"at the end: {error!r}")
    finally:
        if verbose and scene.broker:
            print("\n".join(scene.broker.program.errors[-20:])[:4000])
        scene.clean_up()
    return wrong, scene, time.monotonic() - began


def act(scene, wrong):
    attack = scene.attack
    if attack.probe:
        scene.start()
        scene.put_kept()
        scene.begin_probe()
    attack.run(scene)
    if not attack.probe:
        return
    scene.end_probe()
    if not scene.is_alive():
        said = scene.broker.program.errors[-1:] or [""]
        wrong.append(f"the daemon has ended with {scene.broker.program.process.poll()}: "
                     f"{said[0][:300]}")
    elif attack.restart:
        restart(scene, wrong)


def restart(scene, wrong):
    """All that was confirmed is there after a kill, and nothing is damaged."""
    for client in scene.clients:
        client.close()
    scene.kill()
    code, said, errors = scene.haypiled("--check", scene.data)
    if code != 0:
        wrong.append(f"--check ends with {code}: {(said + errors)[-200:]}")
    began = time.monotonic()
    scene.start()
    if time.monotonic() - began > scenes.START_S:
        wrong.append(f"a start takes {time.monotonic() - began:.1f} s")
    scene.check_kept()
    scene.check_probes((scene.report or {}).get("missing", []))


def judge(scene):
    attack, report, wrong = scene.attack, scene.report, []
    if attack.memory_mib and not scenes.SANITIZED and scene.peak_mib > attack.memory_mib:
        wrong.append(f"{scene.peak_mib:.0f} MiB resident, allowed are {attack.memory_mib:.0f}")
    if report is None:
        return wrong
    if report.get("lost"):
        wrong.append(f"the probe: {report['lost']}")
    if report.get("refused") and attack.logins:
        wrong.append(f"a login of others: {report['refused']}")
    if not attack.while_blocked and report.get("blocked_s"):
        wrong.append(f"publishers were blocked for {report['blocked_s']} s")
    # When the probe itself did not get the processor, nobody has been hurt by the broker.
    lag_ms = report.get("lag_ms", 0)
    if lag_ms > 30:
        scene.note(f"the probe was late by {lag_ms:.0f} ms itself, which is allowed for")
    limits = []
    if attack.latency:
        limits += [(name, scenes.LATENCY_MS) for name in ("confirm", "delivery", "round_trip")]
    if attack.logins:
        limits.append(("login", scenes.LOGIN_MS))
    for name, limit_ms in limits:
        taken_ms = milliseconds(report, name)
        if taken_ms is not None and taken_ms > limit_ms * scenes.SLOWER + lag_ms:
            worst = ", ".join(f"{ms} ms at {at} s" for ms, at in report[name]["worst"])
            wrong.append(f"{name} of others: {worst}")
    return wrong


def milliseconds(report, name):
    return (report or {}).get(name, {}).get("max_ms")
