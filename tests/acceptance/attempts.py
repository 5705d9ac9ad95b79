"""Ways out of the fence, as data: a tool, its arguments, and what a hostile workspace holds beforehand.

In every text `{name}` is replaced: `{secret_file}` holds the secret, `{outside}` is a folder nobody may write,
`{victim}` a process and `{parent}` the product's, `{port}` the product's port, `{socket}` its abstract socket,
`{product}` its checkout (with the secret in `.env`), `{fd}` an inherited descriptor of the secret, `{shared}` and
`{scratch}` files with the secret in /dev/shm and /tmp, `{name}` an unused name. A command that reaches what it must not
without showing the secret prints ESCAPED.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BOTH = frozenset({"root", "user"})
ROOT = frozenset({"root"})
SAY = "printf 'ESC%s' APED"
REACH = (
    "python3 -c 'import socket,sys; s=socket.socket(); s.settimeout(2); s.connect((sys.argv[1], {port}));"
    's.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n"); print(s.recv(200))\' '
)
ABSTRACT = (
    'python3 -c \'import socket; s=socket.socket(socket.AF_UNIX); s.settimeout(2); s.connect(chr(0)+"{socket}");'
    "print(s.recv(200))'"
)
TRACE = (
    "python3 -c 'import ctypes; r=ctypes.CDLL(None).ptrace(16,{victim},None,None);"
    ' print("ESC"+"APED" if r==0 else r)\''
)
ROB = "#!/bin/sh\ncat {secret_file} > {outside}/stolen 2>/dev/null\nkill -9 {victim} 2>/dev/null\ncat\n"
REPOSITORY = (
    "git init -q . && git config user.email a@b.c && git config user.name a && echo 1 > f && git add f"
    " && git commit -qm 1 && printf '%s' '" + ROB + "' > rob && chmod +x rob && echo 2 > f && "
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way out. `tool` is run_command, read_file, write_file, edit_file, list_files, search_files, send_file (a file
    that goes to the chat) or git (our own look). `place` is the working directory: `workspace` or `product` (its own
    checkout). `plant` is a shell command run there first, by hostile hands outside the fence. `flip` names two entries
    that change places all the while. `open_to` says for whom the attempt succeeds when there is no fence."""

    id: str
    tool: str
    arguments: dict[str, str]
    place: str = "workspace"
    plant: str = ""
    network: bool = False
    flip: tuple[str, str] | None = None
    open_to: frozenset[str] = field(default=BOTH)


RUN, GIT = "run_command", "git"

FILE_ATTEMPTS = (
    Attempt("read-absolute", "read_file", {"path": "{secret_file}"}),
    Attempt("read-dot-dot", "read_file", {"path": "../outside/secret.txt"}),
    Attempt("read-dot-dot-inside", "read_file", {"path": "folder/../../outside/secret.txt"}, plant="mkdir folder"),
    Attempt("read-link", "read_file", {"path": "link"}, plant="ln -s {secret_file} link"),
    Attempt("read-relative-link", "read_file", {"path": "link"}, plant="ln -s ../outside/secret.txt link"),
    Attempt("read-linked-folder", "read_file", {"path": "way/secret.txt"}, plant="ln -s {outside} way"),
    Attempt("read-hard-link", "read_file", {"path": "hard"}, plant="ln {secret_file} hard"),
    Attempt("read-proc-root", "read_file", {"path": "root{secret_file}"}, plant="ln -s /proc/self/root root"),
    Attempt("read-proc-fd", "read_file", {"path": "way/{fd}"}, plant="ln -s /proc/{parent}/fd way"),
    Attempt("read-own-environment", "read_file", {"path": "env"}, plant="ln -s /proc/self/environ env"),
    Attempt(
        "read-swapped-link",
        "read_file",
        {"path": "flip"},
        plant="echo harmless > flip; ln -s {secret_file} flop",
        flip=("flip", "flop"),
    ),
    Attempt(
        "write-swapped-folder",
        "write_file",
        {"path": "flip/stolen", "text": "x"},
        plant="mkdir flip; ln -s {outside} flop",
        flip=("flip", "flop"),
    ),
    Attempt("write-absolute", "write_file", {"path": "{outside}/stolen", "text": "x"}),
    Attempt("write-dot-dot", "write_file", {"path": "../outside/stolen", "text": "x"}),
    Attempt("write-linked-folder", "write_file", {"path": "way/stolen", "text": "x"}, plant="ln -s {outside} way"),
    Attempt("write-link", "write_file", {"path": "link", "text": "x"}, plant="ln -s {secret_file} link"),
    Attempt("edit-link", "edit_file", {"path": "link", "old": "secret", "new": "x"}, plant="ln -s {secret_file} link"),
    Attempt(
        "edit-hard-link", "edit_file", {"path": "hard", "old": "secret", "new": "x"}, plant="ln {secret_file} hard"
    ),
    Attempt("list-outside", "list_files", {"path": "way"}, plant="ln -s {outside} way; touch {outside}/ESCAPED"),
    Attempt("search-outside", "search_files", {"text": "secret", "path": "way"}, plant="ln -s {outside} way"),
    Attempt("send-link", "send_file", {"path": "link"}, plant="ln -s {secret_file} link"),
    Attempt("send-absolute", "send_file", {"path": "{secret_file}"}),
    Attempt("send-hard-link", "send_file", {"path": "hard"}, plant="ln {secret_file} hard"),
    Attempt("read-product-secret", "read_file", {"path": ".env"}, place="product"),
    Attempt("read-product-secret-by-link", "read_file", {"path": "link"}, place="product", plant="ln -s .env link"),
    Attempt("search-product-secret", "search_files", {"text": "secret", "path": "."}, place="product"),
    Attempt("send-product-secret", "send_file", {"path": ".env"}, place="product"),
    Attempt("write-product-code", "write_file", {"path": "code.py", "text": "x"}, place="product"),
)

COMMAND_ATTEMPTS = (
    Attempt("cat-absolute", RUN, {"command": "cat {secret_file}"}),
    Attempt("cat-dot-dot", RUN, {"command": "cat ../outside/secret.txt"}),
    Attempt("cat-link", RUN, {"command": "cat link"}, plant="ln -s {secret_file} link"),
    Attempt("write-outside", RUN, {"command": "echo x > {outside}/stolen"}),
    Attempt("write-usr", RUN, {"command": "touch /usr/{name} && " + SAY}, open_to=ROOT),
    Attempt("write-etc", RUN, {"command": "touch /etc/{name} && " + SAY}, open_to=ROOT),
    Attempt("proc-root", RUN, {"command": "cat /proc/1/root{secret_file} /proc/{parent}/root{secret_file}"}),
    Attempt("proc-victim-cwd", RUN, {"command": "cat /proc/{victim}/cwd/secret.txt"}),
    Attempt("own-environment", RUN, {"command": "cat /proc/self/environ; env"}),
    Attempt("parent-environment", RUN, {"command": "cat /proc/{parent}/environ"}),
    Attempt("first-process-environment", RUN, {"command": "cat /proc/[0-9]*/environ"}),
    Attempt(
        "inherited-descriptor", RUN, {"command": "timeout 1 cat /dev/fd/{fd} /proc/{parent}/fd/{fd} /proc/1/fd/[3-9]"}
    ),
    Attempt("kill-9", RUN, {"command": "kill -9 {victim}"}),
    Attempt("kill-term", RUN, {"command": "kill -TERM {victim}"}),
    Attempt("trace", RUN, {"command": TRACE}),
    Attempt(
        "kernel-setting",
        RUN,
        {"command": 'f=/proc/sys/kernel/core_pattern; v=$(cat $f) && echo "$v" > $f && ' + SAY},
        open_to=ROOT,
    ),
    Attempt(
        "mount-bind",
        RUN,
        {"command": "mkdir m; unshare -m sh -c 'mount --bind {outside} m && cat m/secret.txt'"},
        open_to=ROOT,
    ),
    Attempt(
        "nested-namespace",
        RUN,
        {"command": "unshare -Urm sh -c 'mount -t tmpfs none /usr && " + SAY.replace("'", '"') + "'"},
    ),
    Attempt("device", RUN, {"command": "mknod d c 1 3 && " + SAY}, open_to=ROOT),
    Attempt("product-port", RUN, {"command": REACH + "127.0.0.1"}),
    Attempt("product-port-any", RUN, {"command": REACH + "0.0.0.0"}),
    Attempt("product-port-with-network", RUN, {"command": REACH + "127.0.0.1"}, network=True),
    Attempt("product-port-any-with-network", RUN, {"command": REACH + "0.0.0.0"}, network=True),
    Attempt("abstract-socket", RUN, {"command": ABSTRACT}),
    Attempt("abstract-socket-with-network", RUN, {"command": ABSTRACT}, network=True),
    Attempt("kill-with-network", RUN, {"command": "kill -9 {victim}"}, network=True),
    Attempt("shared-memory", RUN, {"command": "cat {shared}"}),
    Attempt("temporary-folder", RUN, {"command": "cat {scratch}"}),
    Attempt("leave-running", RUN, {"command": "setsid sleep 30 >/dev/null 2>&1 & setsid sleep 30 >/dev/null 2>&1 &"}),
    Attempt("product-secret", RUN, {"command": "cat .env"}, place="product"),
    Attempt("product-secret-unmasked", RUN, {"command": "umount .env; umount .; cat .env"}, place="product"),
    Attempt("product-code", RUN, {"command": "mount -o remount,rw .; echo x >> code.py"}, place="product"),
    Attempt(
        "product-code-replaced",
        RUN,
        {"command": "mv code.py old.py; cp old.py code.py; echo x >> code.py"},
        place="product",
    ),
)

GIT_ATTEMPTS = (
    Attempt(
        "git-hook",
        GIT,
        {"arguments": "status"},
        plant=REPOSITORY + "git add f; touch -d '2 days ago' f; cp rob .git/hooks/post-index-change",
    ),
    Attempt("git-monitor", GIT, {"arguments": "status"}, plant=REPOSITORY + "git config core.fsmonitor ./rob"),
    Attempt("git-external-diff", GIT, {"arguments": "diff"}, plant=REPOSITORY + "git config diff.external ./rob"),
    Attempt(
        "git-text-conversion",
        GIT,
        {"arguments": "diff"},
        plant=REPOSITORY + "git config diff.x.textconv ./rob; echo '* diff=x' > .gitattributes",
    ),
    Attempt(
        "git-filter",
        GIT,
        {"arguments": "diff"},
        plant=REPOSITORY + "git config filter.x.clean ./rob; echo '* filter=x' > .gitattributes",
    ),
    Attempt(
        "git-log-text-conversion",
        GIT,
        {"arguments": "log -p"},
        plant=REPOSITORY + "git config diff.x.textconv ./rob; echo '* diff=x' > .gitattributes",
    ),
)

ATTEMPTS = (*FILE_ATTEMPTS, *COMMAND_ATTEMPTS, *GIT_ATTEMPTS)
