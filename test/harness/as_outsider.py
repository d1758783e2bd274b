"""`posthorn authcheck` as somebody uses it who knows the issue and nothing else: a file of DNS records, written in one of the many ways
in which a zone file may be written, a message, and one JSON value back, whose form is checked at every call."""
import json
import os
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("POSTHORN_BUILD", os.path.join(ROOT, "build"))
COMMAND = os.path.join(BUILD, "posthorn")

# The words of RFC 8601 §2.7, RFC 8617 §5.2 and RFC 9989 §4.7.
WORDS = {"spf": "none neutral pass fail softfail temperror permerror", "dkim": "none pass fail policy neutral temperror permerror",
         "arc": "none pass fail", "dmarc": "none pass fail temperror permerror"}
KEYS = {"spf": ["result", "domain", "explanation"], "dkim": ["result", "domain", "selector", "reason"], "arc": ["result", "reason"],
        "dmarc": ["result", "domain", "policy", "applied", "reason"]}
POLICIES = ("none", "quarantine", "reject")


def octets(v):
    return v if isinstance(v, bytes) else v.encode()


def escaped(text, keep):
    """keep: which octets stand as they are."""
    return b"".join(bytes([b]) if keep(b) else b"\\%03d" % b for b in text)


def pieces(text, n):
    return [text[i:i + n] for i in range(0, len(text), n)] or [b""]


def quoted(parts, keep=lambda b: 32 <= b < 127 and b not in b'"\\'):
    return b" ".join(b'"' + escaped(p, keep) + b'"' for p in parts)


def texts(parts, style):
    """The strings of a TXT record. What a receiver reads is the same in every style: they are joined."""
    whole = b"".join(parts)
    if style == "one string":  # longer than 255 octets or not
        return quoted([whole])
    if style == "short strings":
        return quoted(pieces(whole, 7))
    if style == "no quotes" and whole:
        return escaped(whole, lambda b: 33 <= b < 127 and b not in b'"\\;()')
    if style == "raw octets":  # all but what would end the string
        return b" ".join(b'"' + p.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"' for p in parts)
    if style == "all escaped":
        return quoted(parts, lambda b: False)
    if style == "escaped semicolons":
        return quoted(parts).replace(b";", b"\\;")
    return quoted(parts)


# style: (between name and type, how a line ends)
STYLES = {"plain": (b" ", b"\n"), "final dots": (b" ", b"\n"), "ttl class": (b" 3600 IN ", b"\n"), "class ttl": (b" IN 3600 ", b"\n"),
          "ttl": (b" 300 ", b"\n"), "class": (b" in ", b"\n"), "lower case": (b" ", b"\n"), "upper case": (b" ", b"\n"),
          "tabs": (b"\t\t60\tIN\t", b"\t\n"), "comments": (b" IN ", b' ; " ( not a record\n\n; nor this\n'), "crlf": (b" ", b"\r\n"),
          "parentheses": (b" ( IN ; and so on )\n\t", b"\n)\n"), "no last line end": (b" ", b"\n"), "one string": (b" ", b"\n"),
          "short strings": (b" ", b"\n"), "no quotes": (b" ", b"\n"), "raw octets": (b" ", b"\n"), "all escaped": (b" ", b"\n"),
          "escaped semicolons": (b" ", b"\n"), "backwards": (b" ", b"\n")}


def zone_file(records, style="plain"):
    """records: (name, type, data): data is a list of texts for TXT and SPF, (preference, host) for MX, text for others and None for a
    type that is SERVFAIL, TIMEOUT or BOGUS. The file's octets."""
    between, end = STYLES[style]
    dot = b"." if style in ("final dots", "tabs") else b""

    def host(name):
        return escaped(octets(name), lambda b: 33 <= b < 127 and b not in b'"\\;()') + (b"" if name.endswith(".") else dot) or b"."
    lines = []
    for name, kind, data in records:
        owner = host(name)
        word = kind.encode().lower() if style == "lower case" else kind.encode()
        if style == "upper case":
            owner = owner.upper()
        if data is None:
            lines.append(owner + b" " + word + (b"\r\n" if style == "crlf" else b"\n"))
            continue
        if kind in ("TXT", "SPF"):
            rdata = texts([octets(p) for p in data], style)
        elif kind == "MX":
            rdata = b"%d %s" % (data[0], host(data[1]))
        elif kind in ("PTR", "CNAME", "NS"):
            rdata = host(data)
        else:
            rdata = octets(data)
        lines.append(owner + between + word + b" " + rdata + end)
    if style == "backwards":
        lines.reverse()
    text = b"".join(lines)
    return text[:-1] if style == "no last line end" else text


def misshapen(r):
    """What is wrong with the form of an answer, or nothing."""
    if sorted(r) != ["arc", "authentication_results", "dkim", "dmarc", "spf"]:
        return f"keys {sorted(r)}"
    if not isinstance(r["authentication_results"], str) or not r["authentication_results"] or "\n" in r["authentication_results"]:
        return f"authentication_results {r['authentication_results']!r}"
    if not isinstance(r["dkim"], list):
        return "dkim is no list"
    for name, one in [(n, r[n]) for n in ("spf", "arc", "dmarc")] + [("dkim", d) for d in r["dkim"]]:
        if list(one) != KEYS[name] or not all(isinstance(v, str) for v in one.values()):
            return f"{name}: {one}"
        if one["result"] not in WORDS[name].split():
            return f"{name}: {one['result']} is no word"
    if r["dmarc"]["policy"] not in POLICIES or r["dmarc"]["applied"] not in POLICIES:
        return f"dmarc: {r['dmarc']}"
    return ""


def run(*arguments, message=None, dns=b"", stdin=None):
    """The command with --json. message: octets, put in a file; dns: octets of the file of records. A CompletedProcess."""
    with tempfile.TemporaryDirectory() as d:
        argv = [COMMAND, "authcheck", "--json", "--dns", os.path.join(d, "dns")] + list(arguments)
        with open(os.path.join(d, "dns"), "wb") as f:
            f.write(dns)
        if message is not None:
            argv.append(os.path.join(d, "message"))
            with open(argv[-1], "wb") as f:
                f.write(message)
        # no configuration, no home, another folder
        return subprocess.run(argv, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None, capture_output=True, timeout=120, cwd="/",
                              env={k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})


def authcheck(*arguments, **kw):
    """The answer; AssertionError when there is none, or its form is wrong, or anything else is printed."""
    p = run(*arguments, **kw)
    if p.returncode or p.stderr:
        raise AssertionError(f"exit {p.returncode}: {p.stderr.decode(errors='replace')[-2000:]}")
    r = json.loads(p.stdout)
    wrong = misshapen(r)
    if wrong:
        raise AssertionError(wrong)
    return r
