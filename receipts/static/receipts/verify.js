// Is this a receipt of its issuer, as it was signed, in the log, and current? Decided here, in the visitor's own browser,
// from what was published, in the same words as `manage.py verify_receipt`. Nothing in a document is believed about itself:
// it may name a key, and never bring one.

import {base64url, bytes, equal, fromBase58, fromBase64, hex, joined, multikey, Refusal, sha256} from "./encodings.js";

const NAME = /^[A-Za-z@][A-Za-z0-9]*$/;
const UNWRITABLE = /[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/u;
const QUANTITY = /^(0|[1-9][0-9]{0,18})$/;
const UNITS = /(Mg|Ug|Uwh)$/; // a member whose name ends so is a quantity, written as a text
const LARGEST = 64 * 1024; // bytes
const DEEPEST = 8;
const PROOF = {type: "DataIntegrityProof", cryptosuite: "eddsa-jcs-2022", proofPurpose: "assertionMethod"};
const MEMBERS = [...Object.keys(PROOF), "@context", "created", "verificationMethod", "proofValue"].sort().join();
const ENTRIES = 131_072; // of a status list

/**
 * The verdict on the text of a receipt. `published` has the texts `did`, `logKey`, `proof` and `status`, each null where it
 * could not be had. Of the four answers each is null where it was not, or could not be, looked at.
 */
export async function verify(text, published) {
    const verdict = {code: "valid", detail: "", unaltered: null, issued: null, logged: null, current: null};
    let keys;
    try {
        verdict.receipt = receiptOf(text);
        keys = keysOf(published.did);
        verdict.key = await signer(verdict.receipt, keys);
        verdict.unaltered = true;
        verdict.thumbprint = await thumbprint(verdict.key.raw);
    } catch (refusal) {
        if (refusal.code === "bad_signature") verdict.unaltered = false;
        if (["unknown_key", "wrong_issuer"].includes(refusal.code)) verdict.issued = false;
        return refused(verdict, refusal);
    }
    const {receipt, key} = verdict;
    verdict.logged = await answered(verdict, async () => {
        Object.assign(verdict, await inclusion(receipt, published.proof, published.logKey));
    });
    verdict.issued = await answered(verdict, () => distrust(key, verdict.index));
    if (published.status !== null) {
        verdict.current = await answered(verdict, () => standing(receipt, published.status, keys));
    }
    return verdict;
}

async function answered(verdict, look) {
    try {
        await look();
        return true;
    } catch (refusal) {
        refused(verdict, refusal);
        return false;
    }
}

/** Keep the first reason. What is no refusal is a fault of this program, and no verdict. */
function refused(verdict, refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    if (verdict.code === "valid") Object.assign(verdict, {code: refusal.code, detail: refusal.message});
    return verdict;
}

// The document

/** A receipt in the one form in which receipts are served. Throws not_json, duplicate_key or profile. */
function receiptOf(text) {
    const document = parsed(text);
    if (count(document) < [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/gs)].filter(([, colon]) => colon).length) {
        throw new Refusal("duplicate_key", "An object has one of its members twice.");
    }
    check(document, "", "", 0);
    if (canonical(document) !== text || bytes(text).length > LARGEST) {
        throw new Refusal("profile", "It is not in the canonical form in which receipts are served.");
    }
    if (canonical(document.type) !== '["VerifiableCredential","CarbonReceipt"]') {
        throw new Refusal("profile", "The document is not a CarbonReceipt.");
    }
    return document;
}

function parsed(text) {
    try {
        return JSON.parse(text);
    } catch (error) {
        throw new Refusal("not_json", error.message);
    }
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** How many members all objects in it have together. */
function count(value) {
    if (typeof value !== "object" || value === null) return 0;
    const parts = Object.values(value);
    return parts.reduce((sum, part) => sum + count(part), isObject(value) ? parts.length : 0);
}

/** Throws profile unless every reader must read the same. */
function check(value, place, name, depth) {
    const refuse = (reason) => {
        throw new Refusal("profile", `${place || "The document"} ${reason}.`);
    };
    if (depth > DEEPEST) refuse("is too deep");
    if (Array.isArray(value)) {
        value.forEach((part, index) => check(part, `${place}[${index}]`, name, depth + 1));
    } else if (isObject(value)) {
        for (const [member, part] of Object.entries(value)) {
            if (!NAME.test(member)) refuse("has a member whose name is not of letters and digits");
            check(part, place ? `${place}.${member}` : member, member, depth + 1);
        }
    } else if (place === "") {
        refuse("is not an object");
    } else if (UNITS.test(name)) {
        if (typeof value !== "string" || !QUANTITY.test(value)) refuse("is not a whole number written as a text");
    } else if (typeof value === "string") {
        if (UNWRITABLE.test(value) || value.normalize("NFC") !== value) refuse("has a character that no receipt has");
    } else if (typeof value !== "boolean" && !(Number.isSafeInteger(value) && value >= 0)) {
        refuse("is neither a text, nor true or false, nor a whole number");
    }
}

/** RFC 8785. */
function canonical(value) {
    if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
    if (!isObject(value)) return JSON.stringify(value);
    return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join()}}`;
}

// Its signature (W3C Data Integrity, eddsa-jcs-2022)

/** The published keys by their names. Throws unknown_key where they could not be had. */
function keysOf(did) {
    if (did === null) throw new Refusal("unknown_key", "The issuer’s keys could not be fetched.");
    const {id, verificationMethod, assertionMethod} = JSON.parse(did);
    const owned = verificationMethod.filter((method) => method.controller === id && method.id.startsWith(`${id}#`));
    return new Map(owned.map((method) => [method.id, {
        id: method.id,
        issuer: id,
        raw: multikey(method.publicKeyMultibase),
        compromisedFrom: assertionMethod.includes(method.id) ? null : method.compromisedFromLogIndex,
        compromisedAt: method.revoked,
    }]));
}

/** Who signed it. Throws bad_signature, unknown_key or wrong_issuer. */
async function signer(document, keys) {
    const proof = document.proof;
    const isOurs = isObject(proof) && Object.keys(proof).sort().join() === MEMBERS
        && Object.entries(PROOF).every(([name, value]) => proof[name] === value);
    if (!isOurs || canonical(proof["@context"]) !== canonical(document["@context"])) {
        throw new Refusal("bad_signature", "It has no proof of the form eddsa-jcs-2022.");
    }
    const key = keys.get(proof.verificationMethod);
    if (!key) throw new Refusal("unknown_key", `It names the key ${proof.verificationMethod}.`);
    if (document.issuer !== key.issuer) {
        throw new Refusal("wrong_issuer", `It names ${document.issuer}; the key is of ${key.issuer}.`);
    }
    const {proofValue, ...options} = proof;
    const {proof: _, ...rest} = document;
    const signed = joined(await sha256(bytes(canonical(options))), await sha256(bytes(canonical(rest))));
    if (!(await isSignature(key.raw, fromBase58(proofValue), signed))) {
        throw new Refusal("bad_signature", `It is not what ${key.id} signed.`);
    }
    return key;
}

function distrust(key, index) {
    if (key.compromisedFrom !== null && !(index < key.compromisedFrom)) {
        throw new Refusal("key_compromised", `${key.id} is not trusted since ${key.compromisedAt}.`);
    }
}

async function isSignature(raw, signature, message) {
    const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
    return crypto.subtle.verify("Ed25519", key, signature, message);
}

/** RFC 7638: the same for all programs, so that people can compare it. */
async function thumbprint(raw) {
    const jwk = canonical({crv: "Ed25519", kty: "OKP", x: base64url(raw)});
    return base64url(await sha256(bytes(jwk)));
}

// Its place in the log (C2SP tlog-proof, signed notes; RFC 9162 for the tree)

/** Where it stands, and in how large a log. Throws not_in_log or bad_proof. */
async function inclusion(receipt, proof, logKey) {
    if (proof === null || logKey === null) throw new Refusal("not_in_log", "There is no proof of its place in the log.");
    const [head, ...rest] = proof.split("\n\n");
    const [title, place, ...lines] = head.split("\n");
    const index = Number(/^index (0|[1-9][0-9]{0,15})$/.exec(place)?.[1]);
    if (title !== "c2sp.org/tlog-proof@v1" || Number.isNaN(index)) {
        throw new Refusal("bad_proof", "It is not a proof of the log.");
    }
    const {size, root} = await checkpoint(rest.join("\n\n"), logKey);
    const found = await rootOf(await leafHash(receipt), index, size, lines.map(fromBase64));
    if (!found || !equal(found, root)) throw new Refusal("bad_proof", `The log does not have it at ${index}.`);
    return {index, size};
}

/** The size and root of the log, once its signature is proven. */
async function checkpoint(note, logKey) {
    const cut = note.lastIndexOf("\n\n") + 1;
    const text = note.slice(0, cut);
    const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)\n?$/.exec(logKey);
    const lines = note.slice(cut + 1).split("\n").filter((line) => line.startsWith(`— ${name} `));
    const signatures = lines.map((line) => fromBase64(line.split(" ")[2]));
    const ours = signatures.filter((signature) => hex(signature.subarray(0, 4)) === id);
    const raw = fromBase64(encoded).subarray(1);
    const valid = await Promise.all(ours.map((signature) => isSignature(raw, signature.subarray(4), bytes(text))));
    const [origin, size, root] = text.split("\n");
    if (!valid.length || !valid.every(Boolean) || origin !== name) {
        throw new Refusal("bad_proof", "The log did not sign its checkpoint.");
    }
    return {size: Number(size), root: fromBase64(root)};
}

async function leafHash(receipt) {
    const retirements = receipt.credentialSubject.credits?.retirements ?? [];
    const slices = retirements.map(({batchSha256, offsetMg, lengthMg}) => ({batchSha256, offsetMg, lengthMg}));
    const leaf = {type: "receipt", sha256: hex(await sha256(bytes(canonical(receipt)))), allocations: slices};
    return sha256(joined(Uint8Array.of(0), bytes(canonical(leaf))));
}

/** RFC 9162, 2.1.3.2: the root that the path leads to; null if it is not as long as it must be. */
async function rootOf(hash, index, size, path) {
    let [node, last] = [index, size - 1];
    if (index >= size) return null;
    for (const sibling of path) {
        if (last === 0) return null;
        if (node % 2 === 1 || node === last) {
            hash = await sha256(joined(Uint8Array.of(1), sibling, hash));
            while (node % 2 === 0 && node !== 0) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
        } else {
            hash = await sha256(joined(Uint8Array.of(1), hash, sibling));
        }
        [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
    }
    return last === 0 ? hash : null;
}

// Whether it is current (W3C Bitstring Status List)

/** Throws withdrawn, or bad_proof where the list is not the issuer's. */
async function standing(receipt, text, keys) {
    const {statusListCredential, statusListIndex} = receipt.credentialStatus;
    const list = parsed(text);
    await signer(list, keys).catch((refusal) => {
        throw refusal instanceof Refusal ? new Refusal("bad_proof", "The status list is not signed by the issuer.") : refusal;
    });
    if (list.id !== statusListCredential) throw new Refusal("bad_proof", "It is another status list than the receipt’s.");
    const packed = new Blob([fromBase64(list.credentialSubject.encodedList.slice(1))]);
    const bits = new Uint8Array(await new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
    const index = Number(statusListIndex);
    if (bits.length !== ENTRIES / 8) throw new Refusal("bad_proof", "The status list is not one.");
    if (bits[index >> 3] & (0x80 >> (index & 7))) {
        throw new Refusal("withdrawn", "The issuer has withdrawn it, or another took its place.");
    }
}
