import base64
import stat

import pytest

from carbon_site.secret_store import KEY_FILE, CannotOpen, LocalSecretStore, decode_key, secret_store


@pytest.fixture
def store(settings, tmp_path):
    settings.STATE_DIR, settings.SECRET_STORE_KEY = tmp_path, ""
    secret_store.cache_clear()
    yield secret_store()
    secret_store.cache_clear()


def flip_a_bit(token: str) -> str:
    sealed = bytearray(base64.urlsafe_b64decode(token))
    sealed[-1] ^= 1
    return base64.urlsafe_b64encode(sealed).decode()


class TestSecretStore:
    def test_opens_what_it_sealed(self, store):
        assert store.open(store.seal("sk-admin-é")) == "sk-admin-é"

    def test_seals_the_same_text_differently_each_time(self, store):
        assert store.seal("sk-admin-1") != store.seal("sk-admin-1")

    def test_does_not_show_what_it_sealed(self, store):
        assert b"sk-admin" not in base64.urlsafe_b64decode(store.seal("sk-admin-1"))

    @pytest.mark.parametrize("damage", [lambda token: token[:-6], flip_a_bit, lambda _: "no base64!"])
    def test_refuses_what_was_damaged(self, store, damage):
        with pytest.raises(CannotOpen):
            store.open(damage(store.seal("sk-admin-1")))

    def test_refuses_what_another_key_sealed(self, store):
        with pytest.raises(CannotOpen):
            LocalSecretStore(b"k" * 32).open(store.seal("sk-admin-1"))

    def test_keeps_a_developers_key_to_its_owner(self, store, settings):
        secret_store.cache_clear()

        assert secret_store().open(store.seal("again")) == "again"
        assert stat.S_IMODE((settings.STATE_DIR / KEY_FILE).stat().st_mode) == 0o600

    @pytest.mark.parametrize("text", ["", "short", base64.b64encode(b"x" * 31).decode(), "é"])
    def test_takes_32_bytes_for_a_key_and_nothing_else(self, text):
        with pytest.raises(ValueError):
            decode_key(text)
