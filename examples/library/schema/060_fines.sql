CREATE TABLE IF NOT EXISTS fines (
    id          text COLLATE "C" NOT NULL,
    loan_id     text COLLATE "C" NOT NULL,
    amount      numeric(8, 2) NOT NULL,
    created_at  timestamptz NOT NULL,
    paid_at     timestamptz,

    CONSTRAINT fines_pkey PRIMARY KEY (id),
    -- +error ErrLoanUnknown: no such loan
    -- +error ErrLoanHasFine: loan has a fine
    CONSTRAINT fines_loan_id_fkey FOREIGN KEY (loan_id) REFERENCES loans (id),
    -- +error ErrFined: loan has a fine already
    CONSTRAINT fines_loan_id_key UNIQUE (loan_id),
    -- +error ErrAmountNotPositive: amount is not above zero
    CONSTRAINT fines_amount_check CHECK (amount > 0)
);
