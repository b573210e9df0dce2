-- Promises: three empty temporary tables beside ledger_change, made once a connection.

CREATE TEMPORARY TABLE IF NOT EXISTS combination_of (
    month date NOT NULL,
    provider text NOT NULL,
    family text NOT NULL,
    model text NOT NULL,         -- chr(1) stands for null here and below
    service_tier text NOT NULL,
    region text NOT NULL,
    mode text NOT NULL,
    combination_id uuid NOT NULL
) ON COMMIT DELETE ROWS;

CREATE TEMPORARY TABLE IF NOT EXISTS figure_change (LIKE emissions_carboncalculation) ON COMMIT DELETE ROWS;

-- Without constraints, as its rows need no id: a random one is dear.
CREATE TEMPORARY TABLE IF NOT EXISTS usage_change ON COMMIT DELETE ROWS AS TABLE emissions_usagehour WITH NO DATA;

TRUNCATE combination_of, figure_change, usage_change;
