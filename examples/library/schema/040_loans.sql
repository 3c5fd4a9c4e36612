-- A loan lasts from lent_at until returned_at. While that is NULL it has no end.
CREATE TABLE IF NOT EXISTS loans (
    id           text COLLATE "C" NOT NULL,
    copy_id      bigint NOT NULL,
    member_id    text COLLATE "C" NOT NULL,
    lent_at      timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    returned_at  timestamptz,

    CONSTRAINT loans_pkey PRIMARY KEY (id),
    CONSTRAINT loans_id_check CHECK (id ~ '^[0-9a-f]{32}$'),
    -- +error ErrCopyUnknown: no such copy
    -- +error ErrCopyHasLoans: copy has loans
    CONSTRAINT loans_copy_id_fkey FOREIGN KEY (copy_id) REFERENCES copies (id),
    -- +error ErrMemberUnknown: no such member
    -- +error ErrMemberHasLoans: member has loans
    CONSTRAINT loans_member_id_fkey FOREIGN KEY (member_id) REFERENCES members (id),
    CONSTRAINT loans_due_at_check CHECK (due_at > lent_at),
    -- +error ErrReturnedBeforeLent: returned before it was lent
    CONSTRAINT loans_returned_at_check CHECK (returned_at >= lent_at),
    -- A range of one number needs no extension. With btree_gist it would be (copy_id WITH =, …).
    -- +error ErrCopyLent: copy is lent at that time
    CONSTRAINT loans_copy_id_excl EXCLUDE USING gist (
        int8range(copy_id, copy_id, '[]') WITH =,
        tstzrange(lent_at, returned_at) WITH &&
    )
);

CREATE INDEX IF NOT EXISTS loans_copy_id_returned_at_idx ON loans (copy_id, returned_at);
CREATE INDEX IF NOT EXISTS loans_member_id_lent_at_id_idx ON loans (member_id, lent_at, id);
CREATE INDEX IF NOT EXISTS loans_due_at_id_idx ON loans (due_at, id) WHERE returned_at IS NULL;

-- What is not back yet, with the title of the book. The loans that were due before now are overdue.
CREATE VIEW overdue_loans AS
SELECT loans.id, loans.member_id, loans.copy_id, loans.due_at, books.title
FROM loans
JOIN copies ON copies.id = loans.copy_id
JOIN books ON books.id = copies.book_id
WHERE loans.returned_at IS NULL;
