"""A certificate authority made on the spot with the openssl program.

The names are those of the partner's form: an intermediate called
"D-TRUST SSL Class 3 CA 1 2009" below a root of our own, and gateways called
mx5.de.tuv.com. A leaf is made when it is first asked for; SORTS lists the
ways in which one can be wrong.
"""
import datetime
import os
import subprocess
import threading

ISSUER = "D-TRUST SSL Class 3 CA 1 2009"
GATEWAY = "mx5.de.tuv.com"

CONFIGURATION = """
[ca]
default_ca = here
[here]
dir = {folder}
database = $dir/index
new_certs_dir = $dir
unique_subject = no
email_in_dn = no
rand_serial = yes
policy = any
default_md = sha256
[any]
commonName = optional
organizationName = optional
[req]
distinguished_name = none
[none]
"""

AUTHORITY_EXTENSIONS = """
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""

LEAF_EXTENSIONS = """
basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment
extendedKeyUsage = {purpose}
"""

# What differs from a good certificate, by name.
SORTS = {
    "good": {},
    "cn-only": {"sans": ()},
    "wildcard": {"sans": ("*.de.tuv.com",)},
    "rsa": {"key": "rsa:2048"},
    "expired": {"days": (-400, -30)},
    "not-yet-valid": {"days": (30, 400)},
    "wrong-name": {"name": "mail.other.example",
                   "sans": ("mail.other.example",)},
    "cn-right-san-wrong": {"sans": ("mail.other.example",)},
    "unknown-ca": {"issuer": "stranger"},
    "same-name-ca": {"issuer": "impostor"},
    "self-signed": {"issuer": None},
    "missing-intermediate": {"bare": True},
    "client-only": {"purpose": "clientAuth"},
    "rsa-1024": {"key": "rsa:1024"},
    "sha1": {"digest": "sha1"},
}


def run(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise RuntimeError(" ".join(words) + "\n" +
                           done.stdout.decode("utf-8", "replace"))
    return done.stdout


def stamp(days):
    moment = datetime.datetime.now(datetime.timezone.utc)
    moment += datetime.timedelta(days=days)
    return moment.strftime("%Y%m%d%H%M%SZ")


class Certificate:
    """`chain` and `key` are PEM files, `alone` the certificate by itself."""

    def __init__(self, alone, key, chain):
        self.alone = alone
        self.key = key
        self.chain = chain

    def spki_pin(self):
        """As `pins` wants it: sha256: and 64 hexadecimal digits."""
        public = run("openssl", "x509", "-in", self.alone, "-noout", "-pubkey")
        done = subprocess.run(
            ["openssl", "pkey", "-pubin", "-outform", "DER"], input=public,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        import hashlib
        return "sha256:" + hashlib.sha256(done.stdout).hexdigest()


class Authority:
    """Two CAs that are trusted (root and intermediate), two that are not."""

    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.RLock()
        self.made = {}
        os.makedirs(folder)
        self.write("index", "")
        self.write("conf", CONFIGURATION.format(folder=folder))
        self.root = self.authority("root", "Postern Lab Root")
        self.intermediate = self.authority("intermediate", ISSUER, self.root)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    @property
    def trust(self):
        """The file of roots for `trust` and for clients."""
        return self.root.alone

    def make_key(self, title, kind="ec"):
        path = self.path(title + ".key")
        if kind == "ec":
            words = ["-algorithm", "EC", "-pkeyopt",
                     "ec_paramgen_curve:P-256"]
        else:
            words = ["-algorithm", "RSA", "-pkeyopt",
                     "rsa_keygen_bits:" + kind.split(":")[1]]
        run("openssl", "genpkey", *words, "-out", path)
        return path

    def sign(self, title, request, signer, days, extensions, digest="sha256"):
        """`signer` None: the request's own key."""
        alone = self.path(title + ".crt")
        if signer is None:
            how = ["-selfsign", "-keyfile", self.path(title + ".key")]
        else:
            how = ["-cert", signer.alone, "-keyfile", signer.key]
        run("openssl", "ca", "-batch", "-notext", "-config",
            self.path("conf"), "-md", digest, "-in", request, "-out", alone,
            "-startdate", stamp(days[0]), "-enddate", stamp(days[1]),
            "-extfile", self.write(title + ".ext", extensions), *how)
        return alone

    def request(self, title, name, key):
        path = self.path(title + ".csr")
        run("openssl", "req", "-new", "-config", self.path("conf"), "-key",
            key, "-subj", "/CN=" + name, "-out", path)
        return path

    def authority(self, title, name, signer=None):
        key = self.make_key(title)
        alone = self.sign(title, self.request(title, name, key), signer,
                          (-10, 3650), AUTHORITY_EXTENSIONS)
        return Certificate(alone, key, alone)

    def signer(self, issuer):
        """The CA of that title; strangers are made when they are needed."""
        if issuer == "intermediate":
            return self.intermediate
        if issuer == "root":
            return self.root
        if issuer not in self.made:
            name = {"impostor": ISSUER}.get(issuer, "Stranger CA")
            self.made[issuer] = self.authority(issuer, name)
        return self.made[issuer]

    def leaf(self, title, name=GATEWAY, sans=None, issuer="intermediate",
             key="ec", days=(-1, 365), digest="sha256", bare=False,
             purpose="serverAuth"):
        """A certificate for `name`. `sans` None means the name alone, an
        empty one means that only the CN bears it."""
        with self.lock:
            if title in self.made:
                return self.made[title]
            sans = (name,) if sans is None else sans
            extensions = LEAF_EXTENSIONS.format(purpose=purpose)
            if sans:
                extensions += "subjectAltName = " + ", ".join(
                    "DNS:" + san for san in sans) + "\n"
            path = self.make_key(title, key)
            signer = self.signer(issuer) if issuer else None
            alone = self.sign(title, self.request(title, name, path), signer,
                              days, extensions, digest)
            chain = self.path(title + ".pem")
            parts = [alone]
            if signer is not None and signer is not self.root and not bare:
                parts.append(signer.alone)
            with open(chain, "wb") as out:
                for part in parts:
                    with open(part, "rb") as file:
                        out.write(file.read())
            self.made[title] = Certificate(alone, path, chain)
            return self.made[title]

    def sort(self, sort, name=GATEWAY):
        """A certificate of SORTS, for another name if need be."""
        given = dict(SORTS[sort])
        given.setdefault("name", name)
        title = sort if name == GATEWAY else f"{sort}-{name}"
        return self.leaf(title, **given)
