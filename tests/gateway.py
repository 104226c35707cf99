"""nginx with the product's own configuration, in front of a running product, over TLS."""

import datetime
import shutil
import ssl
import subprocess
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings

from config.children import end_with_parent
from tests.product import free_port, until
from tests.servers import scratch

HOST = "mainstay.example"
SHIPPED = settings.BASE_DIR / "deploy" / "nginx"
# One process that stays in the foreground and writes nothing outside of its directory.
MAIN = """
daemon off; master_process off; pid pid; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include mainstay.conf;
}
"""


class Gateway:
    def __init__(self, upstream: int) -> None:
        """``upstream``: the port where the product listens, or nobody."""
        self.plain, self.tls = free_port(), free_port()
        self._directory = scratch()
        certify(self._directory)
        self.trust = ssl.create_default_context(cafile=str(self._directory / "fullchain.pem"))
        self._configure(upstream)
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        assert nginx, "these tests need nginx; .ci/run installs it"
        with (self._directory / "said").open("wb") as said:
            self._process = subprocess.Popen(
                [nginx, "-p", self._directory, "-c", self._directory / "nginx.conf"],
                stderr=said,
                preexec_fn=end_with_parent,
            )
        until((self._directory / "pid").exists)

    def _configure(self, upstream: int) -> None:
        (self._directory / "mainstay").mkdir()
        for name in ("headers.conf", "problems.conf"):
            shutil.copy(SHIPPED / name, self._directory / "mainstay")
        site = (SHIPPED / "mainstay.conf").read_text()
        for there, here in {
            "listen [::]:80 default_server;": "",
            "listen [::]:443 ssl http2 default_server;": "",
            '# "https://app.example"': '"https://app.example"',
            "listen 80 ": f"listen 127.0.0.1:{self.plain} ",
            "listen 443 ": f"listen 127.0.0.1:{self.tls} ",
            "/etc/ssl/mainstay/": f"{self._directory}/",
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{upstream};",
        }.items():
            assert there in site
            site = site.replace(there, here)
        (self._directory / "mainstay.conf").write_text(site)
        (self._directory / "nginx.conf").write_text(MAIN)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def certify(directory: Path) -> None:
    """A key and a certificate that vouches for itself, for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    names = [x509.DNSName(HOST), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - hour)
        .not_valid_after(now + hour)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "fullchain.pem").write_bytes(certificate.public_bytes(pem))
    (directory / "privkey.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
