#!/usr/bin/env python3
"""Paired benchmark for OCI registries. Python 3.9+ stdlib only; drives ./regload (C).

  cc -O2 -pthread regload.c -o regload -lssl -lcrypto
  ./bench.py v2=http://127.0.0.1:5250 v3=http://127.0.0.1:5251 \
             nginx=http://127.0.0.1:5260,static=/srv/ngx --rounds 5 --json out.json

Target: NAME=URL[,auth=user:pass][,pid=N][,static=DIR]
  auth    Basic; if the server answers 401 with a Bearer challenge a token is fetched per repository set
  pid     server pid (default: every pid listening on the port, plus descendants)
  static  a plain file server: blobs/manifests are written under DIR in /v2/... paths, push tests skipped
Rounds are interleaved A B C / C B A / A B C ...; the table gives the median per target and, for
each target after the first, the median of the per-round ratios to the first target.
"""

import argparse, base64, hashlib, http.client, json, os, random, re, resource, socket, ssl, statistics, subprocess, sys, tempfile, time, urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
REGLOAD = os.path.join(HERE, "regload")
HZ = os.sysconf("SC_CLK_TCK")
MT = "application/vnd.oci.image.manifest.v1+json"


def listeners(port):
    out = subprocess.run(["ss", "-ltnpH", f"sport = :{port}"], capture_output=True, text=True).stdout
    return sorted({int(x) for x in re.findall(r"pid=(\d+)", out)})


def tree(pids):
    kids = {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                with open(f"/proc/{d}/stat") as f:
                    kids.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(d))
            except OSError:
                pass
    seen, todo = [], list(pids)
    while todo:
        p = todo.pop()
        if p not in seen:
            seen.append(p)
            todo += kids.get(p, [])
    return seen


def cpu(pids):
    t = 0
    for p in pids:
        try:
            with open(f"/proc/{p}/stat") as f:
                s = f.read().rsplit(")", 1)[1].split()
            t += int(s[11]) + int(s[12])
        except OSError:
            pass
    # schedstat has ns resolution when available
    n = 0
    for p in pids:
        try:
            for th in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{th}/schedstat") as f:
                    n += int(f.read().split()[0])
        except OSError:
            pass
    return t / HZ, n / 1e9


def rss(pids, key="VmHWM"):
    t = 0
    for p in pids:
        try:
            with open(f"/proc/{p}/status") as f:
                m = re.search(key + r":\s+(\d+)", f.read())
                t += int(m.group(1)) if m else 0
        except OSError:
            pass
    return t / 1024


def reset_hwm(pids):
    for p in pids:
        try:
            with open(f"/proc/{p}/clear_refs", "w") as f:
                f.write("5")
        except OSError:
            pass


def iobytes(pids):
    w = 0
    for p in pids:
        try:
            with open(f"/proc/{p}/io") as f:
                w += int(re.search(r"^write_bytes: (\d+)", f.read(), re.M).group(1))
        except OSError:
            pass
    return w


class Target:
    def __init__(self, spec):
        self.name, rest = spec.split("=", 1)
        parts = rest.split(",")
        self.url = parts[0].rstrip("/")
        self.auth = self.static = None
        pids = None
        for p in parts[1:]:
            k, v = p.split("=", 1)
            if k == "auth":
                self.auth = v
            elif k == "pid":
                pids = [int(v)]
            elif k == "static":
                self.static = v
            else:
                sys.exit(f"unknown option {k}")
        u = urllib.parse.urlparse(self.url)
        self.host, self.port, self.tls = u.hostname, u.port or (443 if u.scheme == "https" else 80), u.scheme == "https"
        self.roots = pids or listeners(self.port)
        self.pids = tree(self.roots)
        self.hdr = {}
        self.challenge = None
        if self.auth:
            self.hdr["Authorization"] = "Basic " + base64.b64encode(self.auth.encode()).decode()

    def conn(self):
        if self.tls:
            return http.client.HTTPSConnection(
                self.host, self.port, timeout=120, context=ssl._create_unverified_context()
            )
        return http.client.HTTPConnection(self.host, self.port, timeout=120)

    def login(self, repos):
        c = self.conn()
        c.request("GET", "/v2/")
        r = c.getresponse()
        r.read()
        w = r.getheader("WWW-Authenticate", "")
        if r.status == 401 and w.lower().startswith("bearer") and self.auth:
            a = dict(re.findall(r'(\w+)="([^"]*)"', w))
            q = [("service", a.get("service", ""))] + [("scope", f"repository:{x}:pull,push") for x in repos]
            u = urllib.parse.urlparse(a["realm"])
            h = (
                http.client.HTTPSConnection(u.hostname, u.port or 443, context=ssl._create_unverified_context())
                if u.scheme == "https"
                else http.client.HTTPConnection(u.hostname, u.port or 80)
            )
            h.request(
                "GET",
                u.path + "?" + urllib.parse.urlencode(q),
                headers={"Authorization": "Basic " + base64.b64encode(self.auth.encode()).decode()},
            )
            d = json.loads(h.getresponse().read())
            self.hdr["Authorization"] = "Bearer " + (d.get("token") or d["access_token"])

    def req(self, m, path, body=None, h={}, c=None):
        c = c or self.conn()
        c.request(m, path, body, {**self.hdr, **h})
        r = c.getresponse()
        return r, r.read()

    def put_file(self, path, data):
        f = self.static + path
        os.makedirs(os.path.dirname(f), exist_ok=True)
        with open(f, "wb") as o:
            o.write(data)

    def put_manifest(self, repo, ref, data, c=None):
        if self.static:
            self.put_file(f"/v2/{repo}/manifests/{ref}", data)
            return
        r, b = self.req("PUT", f"/v2/{repo}/manifests/{ref}", data, {"Content-Type": MT}, c)
        if r.status != 201:
            raise SystemExit(f"{self.name}: PUT manifest {ref}: {r.status} {b[:300]}")

    def put_blob(self, repo, data):
        d = "sha256:" + hashlib.sha256(data).hexdigest()
        if self.static:
            self.put_file(f"/v2/{repo}/blobs/{d}", data)
            return d
        r, b = self.req("POST", f"/v2/{repo}/blobs/uploads/", b"", {"Content-Length": "0"})
        if r.status != 202:
            raise SystemExit(f"{self.name}: POST upload: {r.status} {b[:300]}")
        u = urllib.parse.urlparse(r.getheader("Location"))
        p = u.path + "?" + (u.query + "&" if u.query else "") + "digest=" + d
        r, b = self.req("PUT", p, data, {"Content-Type": "application/octet-stream"})
        if r.status != 201:
            raise SystemExit(f"{self.name}: PUT blob: {r.status} {b[:300]}")
        return d

    def load(self, *a, cwd=None):
        args = [REGLOAD, a[0], "-u", self.url] + [str(x) for x in a[1:]]
        for k, v in self.hdr.items():
            args += ["-H", f"{k}: {v}"]
        self.pids = tree(self.roots)
        reset_hwm(self.pids)
        c0, w0 = cpu(self.pids), iobytes(self.pids)
        p = subprocess.run(args, capture_output=True, text=True)
        c1 = cpu(self.pids)
        if p.returncode:
            raise SystemExit(f"{self.name}: {' '.join(args)}: {p.stderr}")
        r = json.loads(p.stdout)
        r["srv_cpu_s"] = c1[0] - c0[0]
        r["srv_cpu_sched_s"] = c1[1] - c0[1]
        r["peak_rss_mb"] = rss(self.pids)
        r["disk_write_mb"] = (iobytes(self.pids) - w0) / 1e6
        if r["all"]["err"]:
            r["stderr"] = p.stderr.strip()[-300:]
        return r


LUA = r"""
local reqs, i, n = {}, 0, 0
function init(args)
  for l in io.lines(args[1]) do n = n + 1; reqs[n] = wrk.format(args[2], l) end
  i = math.random(n)
end
function request() i = i % n + 1; return reqs[i] end
function done(s, lat, r)
  io.write(string.format('\nJSON {"el":%d,"n":%d,"bytes":%d,"err":%d,"mean":%.1f,"p50":%d,"p90":%d,"p99":%d,"max":%d}\n', s.duration, s.requests, s.bytes,
    s.errors.status + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout, lat.mean, lat:percentile(50), lat:percentile(90), lat:percentile(99), lat.max))
end
"""


def wrk(t, paths, m, c, sec):
    """same result shape as regload req, through wrk (epoll, half the client CPU per request)"""
    lua = f"{TMP}/w.lua"
    open(lua, "w").write(LUA)
    args = [
        "wrk",
        "-t2",
        f"-c{c}",
        f"-d{max(1, round(sec))}s",
        "-s",
        lua,
        "-H",
        "Accept: application/vnd.oci.image.manifest.v1+json, */*",
    ]
    for k, v in t.hdr.items():
        args += ["-H", f"{k}: {v}"]
    t.pids = tree(t.roots)
    reset_hwm(t.pids)
    c0, w0 = cpu(t.pids), iobytes(t.pids)
    r0 = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run(args + [t.url, "--", paths, m], capture_output=True, text=True).stdout
    r1 = resource.getrusage(resource.RUSAGE_CHILDREN)
    c1 = cpu(t.pids)
    j = json.loads(re.search(r"JSON (.*)", out).group(1))
    el = j["el"] / 1e6
    a = {
        "n": j["n"],
        "err": j["err"],
        "bytes": j["bytes"],
        "rps": j["n"] / el,
        "MBps": j["bytes"] / el / 1e6,
        "mean_ms": j["mean"] / 1e3,
        "p50_ms": j["p50"] / 1e3,
        "p90_ms": j["p90"] / 1e3,
        "p99_ms": j["p99"] / 1e3,
        "max_ms": j["max"] / 1e3,
    }
    return {
        "elapsed_s": el,
        "client_cpu_s": r1.ru_utime + r1.ru_stime - r0.ru_utime - r0.ru_stime,
        "all": a,
        "srv_cpu_s": c1[0] - c0[0],
        "srv_cpu_sched_s": c1[1] - c0[1],
        "peak_rss_mb": rss(t.pids),
        "disk_write_mb": (iobytes(t.pids) - w0) / 1e6,
    }


def manifest(cfg, cfglen, layers, note=""):
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MT,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": cfg, "size": cfglen},
            "layers": [
                {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": d, "size": n} for d, n in layers
            ],
            "annotations": {"n": note},
        }
    ).encode()


def limits():
    o = {}
    b = os.urandom(1 << 26)
    t = time.perf_counter()
    hashlib.sha256(b).digest()
    o["sha256_1core_MBps"] = len(b) / (time.perf_counter() - t) / 1e6
    t = time.process_time()
    hashlib.sha256(b).digest()
    o["sha256_cpu_MBps"] = len(b) / (time.process_time() - t) / 1e6
    t = time.perf_counter()
    bytearray(b)
    o["memcpy_MBps"] = len(b) / (time.perf_counter() - t) / 1e6
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(1)
    pid = os.fork()
    if pid == 0:
        c = s.accept()[0]
        n = 0
        mv = b
        for _ in range(16):
            c.sendall(mv)
        c.close()
        os._exit(0)
    c = socket.create_connection(s.getsockname())
    t = time.perf_counter()
    n = 0
    buf = bytearray(1 << 20)
    while True:
        k = c.recv_into(buf)
        if not k:
            break
        n += k
    o["loopback_1conn_MBps"] = n / (time.perf_counter() - t) / 1e6
    os.waitpid(pid, 0)
    s.close()
    with tempfile.NamedTemporaryFile(dir=ARGS.limit_dir) as f:
        t = time.perf_counter()
        for _ in range(4):
            f.write(b)
        f.flush()
        os.fsync(f.fileno())
        o["disk_write_fsync_MBps"] = 4 * len(b) / (time.perf_counter() - t) / 1e6
    with tempfile.NamedTemporaryFile(dir=ARGS.limit_dir) as f:
        l = []
        for _ in range(20):
            f.write(b"x" * 4096)
            f.flush()
            t = time.perf_counter()
            os.fsync(f.fileno())
            l.append(time.perf_counter() - t)
        o["fsync4k_p50_ms"] = statistics.median(l) * 1e3
    return o


def setup(t, A):
    """20-layer image, small images, N tags; the same content everywhere (so a static server can serve it)."""
    R = t.repo = A.repo
    t.login([R, R + "/tags", R + "/push"])
    rng = random.Random(1)
    cfg = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    cd = t.put_blob(R, cfg)
    layers = []
    for i in range(20):
        n = A.layer_kib * 1024
        layers.append((t.put_blob(R, rng.randbytes(n)), n))
    m = manifest(cd, len(cfg), layers)
    md = "sha256:" + hashlib.sha256(m).hexdigest()
    for ref in ("img20", md):
        t.put_manifest(R, ref, m)
    with open(f"{TMP}/{t.name}.img", "w") as f:
        f.write(
            f"HEAD /v2/{R}/manifests/img20\n/v2/{R}/manifests/{md}\n/v2/{R}/blobs/{cd}\n"
            + "".join(f"/v2/{R}/blobs/{d}\n" for d, _ in layers)
        )
    # tags: many images that share layers
    TR = R + "/tags"
    cd2 = t.put_blob(TR, cfg)
    small = (t.put_blob(TR, b"layer" * 1000), 5000)
    c = None if t.static else t.conn()
    with open(f"{TMP}/{t.name}.tags", "w") as f, open(f"{TMP}/{t.name}.digs", "w") as g:
        t0 = time.perf_counter()
        for i in range(A.tags):
            mm = manifest(cd2, len(cfg), [small], str(i))
            t.put_manifest(TR, f"t{i:06d}", mm, c)
            f.write(f"/v2/{TR}/manifests/t{i:06d}\n")
            dd = "sha256:" + hashlib.sha256(mm).hexdigest()
            g.write(f"/v2/{TR}/manifests/{dd}\n")
            if t.static:
                t.put_file(f"/v2/{TR}/manifests/{dd}", mm)
        t.tag_put_rate = A.tags / (time.perf_counter() - t0)
    open(f"{TMP}/{t.name}.ping", "w").write("/v2/\n")
    open(f"{TMP}/{t.name}.list", "w").write(f"/v2/{TR}/tags/list\n")
    open(f"{TMP}/{t.name}.list100", "w").write(f"/v2/{TR}/tags/list?n=100&last=t{A.tags // 2:06d}\n")
    b1 = [d for d, _ in layers]
    with open(f"{TMP}/{t.name}.bhead", "w") as f:
        f.write("".join(f"/v2/{R}/blobs/{d}\n" for d in b1))
    tg = A.tags
    with open(f"{TMP}/{t.name}.mixed", "w") as f:
        for i in range(min(tg, 50)):
            f.write(
                f"0.8 head_tag HEAD /v2/{TR}/manifests/t{i * (tg // min(tg, 50)):06d}\n0.6 get_tag GET /v2/{TR}/manifests/t{i * (tg // min(tg, 50)):06d}\n"
            )
        for d in b1[:10]:
            f.write(f"1.5 pull_blob GET /v2/{R}/blobs/{d}\n")
        f.write(f"2 tags_list GET /v2/{TR}/tags/list?n=100\n")
        f.write(f"13 push_64k PUSH {R}/push 65536\n")
    if t.static:
        os.makedirs(t.static + f"/v2/{TR}/tags", exist_ok=True)
        open(t.static + f"/v2/{TR}/tags/list", "w").write(
            json.dumps({"name": TR, "tags": [f"t{i:06d}" for i in range(A.tags)]})
        )
    # correctness: what comes back is what went in
    r, b = t.req("GET", f"/v2/{R}/blobs/{layers[0][0]}")
    if r.status in (302, 307):
        return
    assert r.status == 200 and "sha256:" + hashlib.sha256(b).hexdigest() == layers[0][0], (t.name, r.status)


def tests(A):
    big = A.big_mib << 20
    sd = lambda: random.getrandbits(60)

    def push(kind, n, size, c):
        def f(t, r):
            if t.static:
                return None
            o = f"{TMP}/{t.name}.{kind}{n}"
            res = t.load(
                "push",
                "-c",
                c,
                "-n",
                n,
                "-s",
                size,
                "-r",
                A.repo + "/push",
                "-k",
                kind,
                "-C",
                8 << 20,
                "-o",
                o,
                "-S",
                sd(),
            )
            t.pushed = getattr(t, "pushed", {})
            t.pushed[(kind, n)] = open(o).read().split()
            return res

        return f

    def pull(kind, n, c, units):
        def f(t, r):
            p = f"{TMP}/{t.name}.p{n}"
            if t.static:
                if not os.path.exists(p):
                    ds = [t.put_blob(A.repo + "/push", os.urandom(big if n == 1 else 1 << 20)) for _ in range(n)]
                    open(p, "w").write("".join(f"/v2/{A.repo}/push/blobs/{d}\n" for d in ds))
            else:
                open(p, "w").write("".join(f"/v2/{A.repo}/push/blobs/{d}\n" for d in t.pushed[(kind, n)]))
            return t.load("req", "-c", c, "-n", units, "-f", p)

        return f

    def req(f_, m="GET", c=16):
        if A.wrk and m == "GET":
            return lambda t, r: wrk(t, f"{TMP}/{t.name}.{f_}", m, c, A.sec)
        return lambda t, r: t.load("req", "-c", c, "-d", A.sec, "-m", m, "-f", f"{TMP}/{t.name}.{f_}")

    T = [
        ("ping", "rps", req("ping")),
        ("head_tag", "rps", req("tags", "HEAD")),
        ("get_tag", "rps", req("tags")),
        ("get_digest", "rps", req("digs")),
        ("head_blob", "rps", req("bhead", "HEAD")),
        ("tags_list_all", "rps", req("list", c=4)),
        ("tags_list_n100", "rps", req("list100", c=4)),
        ("push_big_mono", "MBps", push("mono", 1, big, 1)),
        ("push_big_stream", "MBps", push("stream", 1, big, 1)),
        ("push_big_chunk8M", "MBps", push("chunk", 1, big, 1)),
        ("pull_big", "MBps", pull("mono", 1, 1, 4)),
        ("pull_big_c4", "MBps", pull("mono", 1, 4, 8)),
        ("push_64x1M", "MBps", push("stream", 64, 1 << 20, 8)),
        ("pull_64x1M", "MBps", pull("stream", 64, 8, 512)),
        ("push_500x4k", "rps", push("stream", 500, 4096, 8)),
        ("pull_img20_c32", "rps", lambda t, r: t.load("seq", "-c", 32, "-n", A.pulls, "-f", f"{TMP}/{t.name}.img")),
        (
            "mixed_c32",
            "rps",
            lambda t, r: (
                None
                if t.static
                else t.load("mixed", "-c", 32, "-d", A.sec * 2, "-f", f"{TMP}/{t.name}.mixed", "-S", sd())
            ),
        ),
    ]
    if A.only:
        T = [x for x in T if x[0] in A.only.split(",") or (x[0].startswith("push_") and "pull" in A.only)]
    return T


def main():
    global ARGS, TMP
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("targets", nargs="+")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--sec", type=float, default=2)
    p.add_argument("--big-mib", type=int, default=512)
    p.add_argument("--tags", type=int, default=1000)
    p.add_argument("--layer-kib", type=int, default=1024)
    p.add_argument("--pulls", type=int, default=96)
    p.add_argument("--repo", default=f"bench/r{int(time.time())}")
    p.add_argument("--only", default="")
    p.add_argument("--json")
    p.add_argument("--limit-dir", default=".")
    p.add_argument(
        "--wrk",
        action="store_true",
        help="use wrk for the GET req/s tests; wrk cannot do HEAD (for servers beyond ~15k req/s; needs apt wrk)",
    )
    p.add_argument("--settle", type=float, default=0.3, help="seconds between measurements")
    ARGS = A = p.parse_args()
    TMP = tempfile.mkdtemp(prefix="regbench.")
    if not os.path.exists(REGLOAD):
        subprocess.check_call(["cc", "-O2", "-pthread", REGLOAD + ".c", "-o", REGLOAD, "-lssl", "-lcrypto"])
    ts = [Target(x) for x in A.targets]
    for t in ts:
        if not t.pids:
            print(f"note: no pid found for {t.name}; CPU/RSS columns will be 0", file=sys.stderr)
        t.idle = rss(t.pids, "VmRSS")
        setup(t, A)
        print(
            f"{t.name}: pids {t.pids} idle RSS {t.idle:.0f} MiB; PUT tag (sequential, 1 conn) {t.tag_put_rate:.0f}/s",
            file=sys.stderr,
        )
    T = tests(A)
    res = {}
    lim = []
    for r in range(A.rounds):
        lim.append(limits())
        for name, key, fn in T:
            for t in ts if r % 2 == 0 else ts[::-1]:
                os.sync() if name.startswith("push") else None
                x = fn(t, r)
                time.sleep(A.settle)
                if x:
                    res.setdefault(name, {}).setdefault(t.name, []).append(x)
        print(f"round {r + 1}/{A.rounds} done", file=sys.stderr)
        if A.json:
            json.dump({"args": vars(A), "limits": lim, "results": res}, open(A.json, "w"))
    report(A, ts, T, res, lim)


def report(A, ts, T, res, lim):
    med = statistics.median
    print("limits (median): " + ", ".join(f"{k}={med(x[k] for x in lim):.1f}" for k in lim[0]))
    w = max(len(t.name) for t in ts) + 1
    print(
        f"{'test':16} {'target':{w}} {'value':>10} unit {'ratio(min..max)':>20} {'p50ms':>8} {'p99ms':>9} {'ttfb50':>7} {'srvCPU/unit':>14} {'cliCPU%':>7} {'rssMB':>6} err"
    )
    for name, key, _ in T:
        for t in ts:
            xs = res.get(name, {}).get(t.name)
            if not xs:
                continue
            v = [x["all"][key] for x in xs]
            b = [x["all"][key] for x in res[name].get(ts[0].name, [])]
            ra = sorted(q / p_ for q, p_ in zip(v, b) if p_) if t is not ts[0] and b else []
            rs = f"{med(ra):.2f} ({ra[0]:.2f}..{ra[-1]:.2f})" if ra else "1"
            sc = lambda x: x["srv_cpu_sched_s"] if x["srv_cpu_sched_s"] > 0 else x["srv_cpu_s"]
            if key == "MBps":
                cu = med(sc(x) / (x["all"]["bytes"] / 2**30) if x["all"]["bytes"] else 0 for x in xs)
                cus = f"{cu:.2f}s/GiB"
            else:
                cu = med(sc(x) / max(1, x["all"]["n"]) * 1e6 for x in xs)
                cus = f"{cu:.0f}us/op"
            print(
                f"{name:16} {t.name:{w}} {med(v):10.1f} {key:4} {rs:>20} {med(x['all']['p50_ms'] for x in xs):8.2f} {med(x['all']['p99_ms'] for x in xs):9.2f} {med(x['ttfb']['p50_ms'] if 'ttfb' in x else 0 for x in xs):7.2f} {cus:>14} {med(100 * x['client_cpu_s'] / x['elapsed_s'] for x in xs):6.0f}% {max(x['peak_rss_mb'] for x in xs):6.0f} {sum(x['all']['err'] for x in xs)}"
            )
            if name.startswith("mixed"):
                for k in ("head_tag", "get_tag", "pull_blob", "tags_list", "push_64k"):
                    if k in xs[0]:
                        print(
                            f"   {k:13} {'':{w}} {med(x[k]['rps'] for x in xs):10.1f} rps  {'':>20} {med(x[k]['p50_ms'] for x in xs):8.2f} {med(x[k]['p99_ms'] for x in xs):9.2f}"
                        )


if __name__ == "__main__":
    main()
