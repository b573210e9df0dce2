// The page of one receipt: fetches what was published, has it verified, and shows the verdict and, of a receipt that was not
// altered, what it says. Only values that were read are shown, and only as text.

import {verify} from "./verify.js";

// Each answer: what is asked, and what is said of yes and of no.
const ANSWERS = {
    unaltered: () => ["Not altered", "The signature fits every character of it.", "It is not what was signed."],
    issued: ({key, thumbprint}) => [
        key ? `Issued by ${domain(key.issuer)}` : "Issued by its issuer",
        key && `Signed with the key ${key.id}, thumbprint ${thumbprint}.`,
        "The key that it names is none of the issuer’s, or no longer trusted.",
    ],
    logged: ({index, size}) => [
        "In the public log",
        `At index ${index} of a log of ${size} entries, under a checkpoint that the log has signed.`,
        "Its place in the log is not proven.",
    ],
    current: () => ["Current", "The issuer’s status list has not withdrawn it.", "The issuer’s status list does not say so."],
};
const $ = (id) => document.getElementById(id);

async function fetched(address) {
    try {
        const answer = await fetch(address, {cache: "no-cache", referrerPolicy: "no-referrer"});
        return answer.ok ? await answer.text() : null;
    } catch {
        return null;
    }
}

async function check() {
    const here = location.pathname.replace(/\/$/, "");
    const text = await fetched(`${here}.json`);
    if (text === null) return say("", "Not checked", line("The receipt could not be fetched."));
    const statusList = /"statusListCredential":"https?:\/\/[^/"]+(\/status\/[0-9]+)"/.exec(text)?.[1];
    const [did, logKey, proof, status] = await Promise.all(
        ["/.well-known/did.json", "/log/key", `${here}/proof`, statusList].map((address) => address ? fetched(address) : null),
    );
    try {
        show(await verify(text, {did, logKey, proof, status}));
    } catch (error) {
        say("", "Not checked", line(`This browser cannot check it (${error.name}). The commands below can.`));
    }
}

function say(mood, word, ...lines) {
    $("verdict").className = mood;
    $("verdict-word").textContent = word;
    $("answers").replaceChildren(...lines);
}

const line = (words) => element("li", {}, element("span", {}, words));

function show(verdict) {
    const isValid = verdict.code === "valid";
    say(
        isValid ? "good" : "bad",
        isValid ? "Valid" : `Not valid: ${verdict.code}`,
        ...(isValid ? [] : [line(verdict.detail)]),
        ...Object.keys(ANSWERS).map((name) => answer(name, verdict)),
        line(`Checked in this browser at ${new Date().toISOString().slice(0, 19)}Z.`),
    );
    $("facts").replaceChildren(...(verdict.unaltered ? facts(verdict.receipt) : []));
    $("facts").hidden = !verdict.unaltered;
    $("verdict").dataset.code = verdict.code;
}

function answer(name, verdict) {
    const [asked, good, bad] = ANSWERS[name](verdict);
    const said = {
        true: ["good", "✓", "yes", good],
        false: ["bad", "✗", "no", bad],
        null: ["", "–", "not checked", "It was not, or could not be, looked at."],
    };
    const [mood, mark, word, words] = said[verdict[name]];
    const sign = element("span", {ariaHidden: "true"}, `${mark} `);
    const title = element("strong", {}, sign, `${asked}: ${word}`);
    return element("li", {className: mood, id: name}, title, element("span", {}, words));
}

/** Of a did:web. */
const domain = (issuer) => decodeURIComponent(issuer.replace(/^did:web:/, ""));

// What it says

function facts(receipt) {
    const subject = receipt.credentialSubject;
    return [
        ...(subject.credits ? claim(subject) : []),
        ...section("What was emitted", emitted(subject)),
        ...(subject.credits ? retired(subject.credits) : []),
        ...section("How it was calculated", method(subject)),
        ...section("The document", papers(receipt)),
    ];
}

function claim({period, customer, credits}) {
    const banner = element("p", {className: "banner"}, "Demonstration: no registry knows of these credits.");
    return [
        element("h2", {}, `${grams(credits.retiredMg, 3)} g of credits retired`),
        element("p", {}, `On behalf of ${onBehalfOf(customer)}, for the use of AI models in ${month(period)}.`),
        ...(credits.retirements.some((each) => each.demonstration) ? [banner] : []),
    ];
}

function retired(credits) {
    return [
        element("h2", {}, "What was retired"),
        element("p", {}, credits.statement),
        ...credits.retirements.flatMap((each) => [element("h3", {}, each.projectName), list(retirement(each))]),
        ...section("How much was to be retired", [
            ["Basis", `${credits.basis} of the emissions`],
            ["Required", `${grams(credits.requiredMg, 3)} g`],
            ...credits.adjustments.map(adjustment),
            ["Carried in", mass(credits.carriedInMg)],
            ["Carried out", mass(credits.carriedOutMg)],
        ]),
    ];
}

const onBehalfOf = (customer) => customer.publicName ?? "the customer whose name opens the commitment below";

function adjustment({change, period, meanUg}) {
    return [`${change === "increase" ? "More" : "Less"} for ${month(period)}`, `${grams(meanUg, 6)} g`];
}

const mass = (mg) => mg && mg !== "0" ? `${grams(mg, 3)} g` : undefined;

function retirement(each) {
    return [
        ["Registry", each.registryUrl ? link(each.registryUrl, `${each.registry}: its own record`) : each.registry],
        ["Project", `${each.projectId}${each.country ? `, ${each.country}` : ""}`],
        ["Kind and vintage", `${each.creditType}, ${each.vintage}`],
        ["Standard", each.standard],
        ["Serial numbers", `${each.serials.first} to ${each.serials.last}, ${grams(each.batchMg, 9)} t together`],
        ["Of these, for this receipt", `${grams(each.lengthMg, 3)} g, from milligram ${whole(each.offsetMg)} on`],
        ["Retired on", each.retiredOn],
        ["Beneficiary at the registry", each.beneficiary],
        ["Saved evidence, SHA-256", each.evidenceSha256],
        ["Batch, SHA-256 of its log leaf", each.batchSha256],
    ];
}

function emitted({emissions, energy, activity, statement, boundary}) {
    const {total} = activity;
    return [
        ["Emissions, expected value", `${grams(emissions.meanUg, 6)} g CO₂e`],
        ["Median", `${grams(emissions.centralUg, 6)} g CO₂e`],
        ["From low to high", `${grams(emissions.lowUg, 6)} to ${grams(emissions.highUg, 6)} g CO₂e`],
        ["Of the median: electricity", `${grams(emissions.electricityCentralUg, 6)} g CO₂e`],
        ["Of the median: making of hardware", `${grams(emissions.embodiedCentralUg, 6)} g CO₂e`],
        ["Electricity of the data centre", `${grams(energy.facilityUwh, 9)} kWh`],
        ["Input tokens, uncached", total.inputUncached && whole(total.inputUncached)],
        ["Input tokens read from a cache", total.cacheRead && whole(total.cacheRead)],
        ["Input tokens written to a cache", total.cacheWrite && whole(total.cacheWrite)],
        ["Output tokens", total.output && whole(total.output)],
        ["Requests", total.requests && whole(total.requests)],
        ["What these figures are", statement],
        ["Included", boundary.included.join("; ")],
        ["Not included", boundary.excluded.join("; ")],
    ];
}

function method({activity: {coverage}, emissions, factorSet, ledger}) {
    const labels = (uses) => uses.map((use) => `${use.label} (${whole(use.tokens)} tokens)`).join("; ");
    return [
        ["Accounting", emissions.accounting],
        ["Interval", emissions.interval],
        ["Hours observed", `${whole(coverage.hoursObserved)} of ${whole(coverage.hoursExpected)}`],
        ["Models counted under a default", labels(coverage.unmappedModels)],
        ["Not estimated", labels(coverage.notEstimated)],
        ["Factor set", `${factorSet.version}, SHA-256 ${factorSet.sha256}`],
        ["Ledger", `${whole(ledger.rows)} rows under the Merkle root ${ledger.merkleRoot}`],
    ];
}

function papers({credentialSubject: subject, ...receipt}) {
    return [
        ["Period", `${subject.period.start} to before ${subject.period.end}`],
        ["Issued", receipt.validFrom],
        ["Issuer", receipt.issuer],
        ["Id", receipt.id],
        ["Takes the place of", receipt.supersedes?.id],
        ["Customer", subject.customer.publicName],
        ["Customer, as a commitment", `SHA-256 ${subject.customer.commitment}`],
    ];
}

// Elements and numbers

function section(title, rows) {
    return [element("h2", {}, title), list(rows)];
}

/** Rows whose value is not there are left out: what a receipt does not say is not shown as nothing. */
function list(rows) {
    const said = rows.filter(([, value]) => value);
    return element("dl", {}, ...said.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function link(address, words) {
    return /^https:\/\//.test(address) ? element("a", {href: address, rel: "noreferrer"}, words) : words;
}

function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
}

const whole = (digits) => BigInt(digits).toLocaleString("en");

/** A whole number with the point moved `places` to the left; at most three digits behind it, rounded. */
function grams(digits, places) {
    const unit = 10n ** BigInt(Math.max(0, places - 3));
    const thousandths = (BigInt(digits) + unit / 2n) / unit;
    const behind = String(thousandths % 1000n).padStart(3, "0").replace(/0+$/, "");
    return (thousandths / 1000n).toLocaleString("en") + (behind && `.${behind}`);
}

function month({start}) {
    return new Date(start).toLocaleDateString("en", {month: "long", year: "numeric", timeZone: "UTC"});
}

const again = element("button", {type: "button"}, "Check again");
again.addEventListener("click", check);
$("verdict").append(again);
say("", "Being checked…");
check();
