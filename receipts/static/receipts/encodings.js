// Bytes and how they are written. What cannot be read is refused with the word for what it was part of.

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** Why a document does not count. `code` is the stable word. */
export class Refusal extends Error {
    constructor(code, detail) {
        super(detail);
        this.code = code;
    }
}

export const bytes = (text) => new TextEncoder().encode(text);
export const sha256 = async (message) => new Uint8Array(await crypto.subtle.digest("SHA-256", message));
export const hex = (raw) => Array.from(raw, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const equal = (one, other) => hex(one) === hex(other);

export function joined(...parts) {
    return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

/** Of base64, or of base64url without padding. Throws bad_proof. */
export function fromBase64(text) {
    try {
        return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
    } catch {
        throw new Refusal("bad_proof", "It has something in it that is not base64.");
    }
}

export const base64url = (raw) => btoa(String.fromCharCode(...raw)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/** Multibase, base58btc. Throws bad_signature. */
export function fromBase58(text) {
    const letters = typeof text === "string" && text.length <= 100 && /^z([1-9A-HJ-NP-Za-km-z]+)$/.exec(text)?.[1];
    if (!letters) throw new Refusal("bad_signature", "Its proof value is not base58.");
    const number = Array.from(letters).reduce((sum, letter) => sum * 58n + BigInt(BASE58.indexOf(letter)), 0n);
    const digits = number.toString(16);
    const zeros = /^1*/.exec(letters)[0].length;
    const pairs = number ? digits.padStart(digits.length + (digits.length % 2), "0").match(/../g) : [];
    return Uint8Array.from([...Array(zeros).fill(0), ...pairs.map((pair) => parseInt(pair, 16))]);
}

/** The 32 bytes of an Ed25519 Multikey. */
export function multikey(text) {
    const raw = fromBase58(text);
    if (raw.length !== 34 || raw[0] !== 0xed || raw[1] !== 0x01) {
        throw new Refusal("unknown_key", "The issuer’s key is not an Ed25519 key.");
    }
    return raw.subarray(2);
}
