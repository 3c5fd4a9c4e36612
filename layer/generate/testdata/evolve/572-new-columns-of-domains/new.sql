CREATE DOMAIN steps AS integer DEFAULT 7;
CREATE DOMAIN "Levels" AS integer DEFAULT 7 CONSTRAINT levels_check CHECK (VALUE > 0);
CREATE TABLE t (
    id integer NOT NULL,
    a steps,
    b steps DEFAULT 8,
    c steps DEFAULT floor(random() * 9 + 100),
    -- +fill id * 2
    d steps NOT NULL,
    -- +fill id * 2
    e steps NOT NULL DEFAULT 9,
    f "Levels",
    g "Levels" DEFAULT 8,
    -- +fill id * 2
    h "Levels" NOT NULL,
    i "Levels" DEFAULT floor(random() * 9 + 100),
    CONSTRAINT t_pkey PRIMARY KEY (id)
);
