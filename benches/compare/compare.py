#!/usr/bin/env python3
"""Runs comm-node's hooks and others side by side, on the same calls, each in turn with /bin/true.

Usage: compare.py HOOKS CLI [PAIRS]   (directory of the release hook programs; a comm-node program)

hcom comes from PyPI, tdd-guard from npm, into ~/.cache/comm-node-compare; what can't be had is left out and
named. The bash, Python and Node hooks are written here: each keeps `Write` and `Edit` to one directory, which is what
such a hook usually does. Prints Markdown.
"""
import json, os, shutil, statistics, subprocess, sys, tempfile, time

hooks, cli = map(os.path.abspath, sys.argv[1:3])
pairs = int(sys.argv[3]) if len(sys.argv) > 3 else 300
cache = os.path.expanduser("~/.cache/comm-node-compare")
top = os.path.realpath(tempfile.mkdtemp(prefix="compare-"))
node = f"{top}/node"
for d in ("node/api", "node/web", "home", "bin"):
    os.makedirs(f"{top}/{d}")
with open(f"{node}/comm-node.yaml", "w") as f:
    f.write("version: 1\nname: shop\ndomains:\n  backend: {scope: [\"api/**\"], max_sessions: 9}\n  frontend: {scope: [\"web/**\"]}\n")
with open(f"{node}/web/x", "w") as f:
    f.write("a\n")
os.symlink("../web", f"{node}/api/link")

BASH = """#!/bin/bash
input=$(cat)
path=$(jq -r '.tool_input.file_path // empty' <<<"$input")
case "$path" in ""|"$CLAUDE_PROJECT_DIR"/api/*) exit 0 ;; esac
jq -n '{hookSpecificOutput: {hookEventName: "PreToolUse", permissionDecision: "deny", permissionDecisionReason: "not yours"}}'
"""
PYTHON = """import json, os, sys
call = json.load(sys.stdin)
path = call.get("tool_input", {}).get("file_path", "")
if path and not path.startswith(os.environ["CLAUDE_PROJECT_DIR"] + "/api/"):
    print(json.dumps({"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": "not yours"}}))
"""
NODE = """const call = JSON.parse(require("fs").readFileSync(0, "utf8"));
const path = (call.tool_input || {}).file_path || "";
if (path && !path.startsWith(process.env.CLAUDE_PROJECT_DIR + "/api/"))
  console.log(JSON.stringify({hookSpecificOutput: {hookEventName: "PreToolUse", permissionDecision: "deny", permissionDecisionReason: "not yours"}}));
"""
for name, text in (("hook.sh", BASH), ("hook.py", PYTHON), ("hook.js", NODE)):
    with open(f"{top}/bin/{name}", "w") as f:
        f.write(text)
os.chmod(f"{top}/bin/hook.sh", 0o755)

missing, versions = [], []


def fetch(name, program, *commands):
    """The program, installed into the cache if need be."""
    if not os.path.exists(program):
        os.makedirs(cache, exist_ok=True)
        for command in commands:
            if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
                missing.append(name)
                return None
    return program


def version(command):
    out = subprocess.run(command, capture_output=True, text=True)
    versions.append((out.stdout + out.stderr).strip().splitlines()[0])


hcom = fetch("hcom", f"{cache}/py/bin/hcom", [sys.executable, "-m", "venv", f"{cache}/py"], [f"{cache}/py/bin/pip", "-q", "install", "hcom"])
tdd = fetch("tdd-guard", f"{cache}/js/node_modules/.bin/tdd-guard", ["npm", "install", "--silent", "--prefix", f"{cache}/js", "tdd-guard"])
# The interpreter itself, not a version manager's script in front of it.
python = os.path.realpath(sys.executable)
tools = {"comm-node": ([f"{hooks}/comm-node-pre-tool-use"], [f"{hooks}/comm-node-user-prompt-submit"])}
if hcom:
    tools["hcom"] = ([hcom, "pre"], [hcom, "userpromptsubmit"])
    version([hcom, "--version"])
if shutil.which("jq"):
    tools["bash + jq"] = ([f"{top}/bin/hook.sh"], [f"{top}/bin/hook.sh"])
    version(["bash", "--version"]), version(["jq", "--version"])
tools["Python"] = ([python, f"{top}/bin/hook.py"], [python, f"{top}/bin/hook.py"])
version([python, "--version"])
if shutil.which("node"):
    tools["Node"] = (["node", f"{top}/bin/hook.js"], ["node", f"{top}/bin/hook.js"])
    version(["node", "--version"])
    if tdd:
        tools["tdd-guard"] = ([tdd], [tdd])
        with open(f"{cache}/js/node_modules/tdd-guard/package.json") as f:
            versions.append("tdd-guard " + json.load(f)["version"])

env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": f"{top}/home", "CLAUDE_PROJECT_DIR": node, "HCOM_DIR": f"{top}/home/.hcom"}
subprocess.run([cli, "compile"], cwd=node, env=env, check=True, stdout=subprocess.DEVNULL)
env["COMM_NODE_DOMAIN"] = "backend"


def call(tool, tool_input, session="s"):
    return json.dumps({
        "session_id": session, "transcript_path": "/nonexistent/s.jsonl", "cwd": node, "permission_mode": "default",
        "hook_event_name": "PreToolUse", "tool_name": tool, "tool_use_id": "toolu_" + session, "tool_input": tool_input,
    }).encode()


def write(path, session="s"):
    return call("Write", {"file_path": f"{node}/{path}", "content": "x"}, session)


def run(command, text, pid=None):
    return subprocess.run(command, input=text, cwd=node, env={**env, "CLAUDE_PID": str(pid or os.getpid())}, capture_output=True, timeout=60)


def verdict(command, text, pid=None):
    done = run(command, text, pid)
    said = done.stdout.decode(errors="replace")
    if done.returncode == 2 or '"deny"' in said or '"block"' in said:
        return "refused"
    return "let through"


def holder(command):
    """Two sessions of one domain and one file: the first lives, and then is killed."""
    first = subprocess.Popen(["sleep", "60"])
    run(command, write("api/held.txt", "first"), first.pid)
    alive = verdict(command, write("api/held.txt", "second"))
    first.kill()
    first.wait()
    return f"{alive} / {verdict(command, write('api/held.txt', 'second'))}"


def ratio(command, text):
    times = []
    for _ in range(pairs):
        pair = []
        for program in (command, ["/bin/true"]):
            began = time.perf_counter()
            run(program, text)
            pair.append(time.perf_counter() - began)
        times.append(pair[0] / pair[1])
    times.sort()
    return f"{statistics.median(times):.2f} ({times[int(len(times) * 0.95)]:.2f})"


prompt = json.dumps({"session_id": "s", "transcript_path": "/nonexistent/s.jsonl", "cwd": node, "hook_event_name": "UserPromptSubmit", "prompt": "go on"}).encode()
rows = []
for name, (guard, at_prompt) in tools.items():
    own = verdict(guard, write("api/own.txt"))
    rows.append([
        name, ratio(guard, write("api/own.txt")), ratio(at_prompt, prompt), own, verdict(guard, write("web/x")),
        verdict(guard, call("Bash", {"command": "sed -i s/a/b/ web/x"})), verdict(guard, write("api/link/x")), holder(guard),
        str(len(run(at_prompt, prompt).stdout)),
    ])
heads = ["hook", "own write, × /bin/true", "prompt, × /bin/true", "own path", "foreign path", "`sed -i` on it", "through a link", "held by the living / by the killed", "bytes on a quiet prompt"]
print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
for row in rows:
    print("| " + " | ".join(row) + " |")
print(f"\n{pairs} pairs each, median (p95); {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {', '.join(versions)}.")
if missing:
    print("Could not be had: " + ", ".join(missing) + ".")
shutil.rmtree(top)
