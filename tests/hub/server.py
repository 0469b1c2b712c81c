"""A hub on 127.0.0.1: its API of models, its files, and another host for the large ones.

It answers as the hub does (huggingface_hub 2.4.0 was watched): large files are redirected to the
same server under the name "localhost", where no token may arrive.
"""

import hashlib
import json
from urllib.parse import unquote, urlsplit

from loopback import Handler, Server

LARGE = (".safetensors", ".bin", ".pth")


def commit_of(number):
    return f"{number:040x}"


def git_sha1(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class Hub(Server):
    """Repositories that tests fill; what was asked is in `asked`, whatever it was.

    Attributes:
        repositories: name -> {"refs": {branch: commit}, "commits": {commit: {file: content}}},
            and "card": card data, "gated": whether a token is needed.
        asked: "METHOD path" of each request.
        seen: (host, token, range) of each request.
        agents: What the programs that asked called themselves.
        cuts: name of a file -> how many bytes of it the next answers have.
        lies: name of a file -> content that comes in its place.
        lost: Files that are listed, but not there.
        broken: Status of all answers, if not None.
        excuse: Headers of these answers.
    """

    def __init__(self):
        super().__init__(_Handler)
        self.repositories, self.asked, self.seen, self.agents = {}, [], [], set()
        self.cuts, self.lies, self.lost, self.broken, self.excuse = {}, {}, set(), None, {}

    def publish(self, name, files, branch="main", **facts):
        """Add a commit to a repository, at the head of the branch."""
        repository = self.repositories.setdefault(name, {"refs": {}, "commits": {}})
        commit = commit_of(sum(len(each["commits"]) for each in self.repositories.values()) + 1)
        repository["commits"][commit] = {
            file: content if isinstance(content, bytes) else json.dumps(content).encode()
            for file, content in files.items()
        }
        repository["refs"][branch] = commit
        repository.update(facts)
        return commit


class _Handler(Handler):
    def answer(self):
        hub, headers = self.server, self.headers
        hub.asked.append(f"{self.command} {self.path}")
        hub.seen.append((headers["Host"], headers["Authorization"], headers["Range"]))
        hub.agents.add(headers["User-Agent"])
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if hub.broken:
            self.send(hub.broken, **hub.excuse)
        elif parts[:2] == ["api", "models"]:
            self._send_info("/".join(parts[2:4]), "/".join(parts[5:]))
        elif parts[0] == "cdn":
            self._send_large(*parts[1:])
        elif len(parts) > 4 and parts[2] == "resolve":
            self._send_file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self.send(404)

    def _send_info(self, name, revision):
        repository, commit = self._find(name, revision)
        if not commit:
            return
        files = repository["commits"][commit]
        info = {"id": name, "sha": commit, "cardData": repository.get("card"), "tags": []}
        info["siblings"] = [_sibling(file, content) for file, content in files.items()]
        self.send(200, json.dumps(info | repository.get("info", {})).encode())

    def _send_file(self, name, revision, file):
        repository, commit = self._find(name, revision)
        if not commit:
            return
        content = repository["commits"][commit].get(file)
        if content is None or file in self.server.lost:
            self.send(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
        elif repository.get("gated") and not self.headers["Authorization"]:
            self.send(401, X_Error_Code="GatedRepo")
        elif file.endswith(LARGE):
            self.send(
                302,
                X_Repo_Commit=commit,
                X_Linked_Etag=f'"{sha256(content)}"',
                X_Linked_Size=len(content),
                Location=f"http://localhost:{self.server.server_port}/cdn/{name}/{commit}/{file}",
            )
        else:
            content = self.server.lies.get(file, content)
            etag = git_sha1(repository["commits"][commit][file])
            self.send(200, content, X_Repo_Commit=commit, ETag=f'"{etag}"')

    def _send_large(self, owner, name, commit, file):
        content = self.server.repositories[f"{owner}/{name}"]["commits"][commit][file]
        content = self.server.lies.get(file, content)
        start = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").split("-")[0])
        extent = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        cut = self.server.cuts.pop(file, None)
        self.send(206 if start else 200, content[start:], cut=cut, **extent)

    def _find(self, name, revision):
        """The repository and the commit, or an answer that says which isn't there."""
        repository = self.server.repositories.get(name)
        if not repository:
            self.send(401, X_Error_Code="RepoNotFound")
            return None, None
        commit = repository["refs"].get(revision, revision)
        if commit not in repository["commits"]:
            self.send(404, X_Error_Code="RevisionNotFound")
            return None, None
        return repository, commit


def _sibling(file, content):
    facts = {"rfilename": file, "size": len(content), "blobId": git_sha1(content)}
    if file.endswith(LARGE):
        facts["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 134}
    return facts
