-- name: SearchCatalog :many
-- SearchCatalog returns up to page_size papers and articles whose names have all words of the text. The last word may be the
-- beginning of a word. The paper must be within the bounds of year and price. The page begins after the given place in the
-- order. No row when the text has no words.
--
-- The parameter sort is one of these. Kind and id break ties.
--
--   - year: the newest first
--   - price: the lowest price first
--   - name: by the folded name
--   - relevance: the shortest name first
--
-- The text is folded as the indexes fold the names.
WITH given AS (
    SELECT line.what, regexp_replace(
        CASE WHEN line.name COLLATE "C" ~ '^[ -~]*$' THEN lower(line.name COLLATE "C") ELSE
            replace(replace(replace(replace(translate(lower(regexp_replace(
                normalize(line.name COLLATE "C", NFKD),
                '[\u00ad\u02b0-\u036f\u0591-\u05bd\u064b-\u065f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3099\u309a\ufe00-\ufe0f\ufeff]', '', 'g')),
                'ŁłØøĐđÐðĦħŦŧŊŋıÆŒÞẞΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩςАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЄІҐЂЈЉЊЋЏ',
                'llooddddhhttnniæœþßαβγδεζηθικλμνξοπρστυφχψωσабвгдежзиклмнопрстуфхцчшщъыьэюяєіґђјљњћџ'),
                'æ', 'ae'), 'œ', 'oe'), 'ß', 'ss'), 'þ', 'th')
        END,
        '([\u3005-\u3007\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])|[\u0001-/:-@\[-`{-\u00bf×÷\u2000-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u303f\u30fb\U0001f000-\U0001faff]+', ' \1 ', 'g') AS folded
    FROM (
        SELECT 'text' AS what, @text::text AS name
        UNION ALL
        SELECT 'after' AS what, @after_name::text AS name
    ) AS line
)
SELECT
    named.kind::text AS kind,
    named.id::bigint AS id,
    named.name::text AS name,
    paper.id AS paper_id,
    paper.name AS paper_name,
    paper.url AS paper_url,
    paper.year,
    paper.price_cents,
    paper.is_published
FROM (
    SELECT 'paper' AS kind, papers.id, papers.name, papers.id AS paper_id
    FROM papers
    UNION ALL
    SELECT 'article' AS kind, articles.id, articles.name, articles.paper_id
    FROM articles
) AS named
CROSS JOIN LATERAL (
    SELECT regexp_replace(
        CASE WHEN named.name COLLATE "C" ~ '^[ -~]*$' THEN lower(named.name COLLATE "C") ELSE
            replace(replace(replace(replace(translate(lower(regexp_replace(
                normalize(named.name COLLATE "C", NFKD),
                '[\u00ad\u02b0-\u036f\u0591-\u05bd\u064b-\u065f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3099\u309a\ufe00-\ufe0f\ufeff]', '', 'g')),
                'ŁłØøĐđÐðĦħŦŧŊŋıÆŒÞẞΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩςАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЄІҐЂЈЉЊЋЏ',
                'llooddddhhttnniæœþßαβγδεζηθικλμνξοπρστυφχψωσабвгдежзиклмнопрстуфхцчшщъыьэюяєіґђјљњћџ'),
                'æ', 'ae'), 'œ', 'oe'), 'ß', 'ss'), 'þ', 'th')
        END,
        '([\u3005-\u3007\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])|[\u0001-/:-@\[-`{-\u00bf×÷\u2000-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u303f\u30fb\U0001f000-\U0001faff]+', ' \1 ', 'g') AS folded
) AS words
CROSS JOIN LATERAL ( /* no index has both the words and an order: all matches are joined by key, then filtered and sorted */
    SELECT papers.id, papers.name, papers.url, papers.year, papers.price_cents, papers.is_published
    FROM papers
    WHERE papers.id = named.paper_id
    LIMIT 1 /* without it the planner reads all papers for the join */
) AS paper
CROSS JOIN LATERAL (
    SELECT
        CASE @sort::text
            WHEN 'year' THEN -paper.year
            WHEN 'price' THEN paper.price_cents
            WHEN 'relevance' THEN char_length(named.name)
            ELSE 0
        END::bigint AS number,
        CASE WHEN @sort::text = 'name' THEN btrim(words.folded) ELSE '' END AS name
) AS place
WHERE to_tsvector('simple', words.folded) @@ (
        SELECT (nullif(plainto_tsquery('simple', given.folded)::text, '') || ':*')::tsquery
        FROM given
        WHERE given.what = 'text'
    )
    AND (paper.is_published OR @unpublished_too::boolean)
    AND paper.year BETWEEN @year_from::integer AND @year_to::integer
    AND paper.price_cents BETWEEN @price_cents_from::bigint AND @price_cents_to::bigint
    AND (place.number, place.name, named.kind, named.id) > (
        @after_number::bigint,
        (SELECT btrim(given.folded) FROM given WHERE given.what = 'after'),
        @after_kind::text,
        @after_id::bigint
    )
ORDER BY place.number, place.name, named.kind, named.id
LIMIT @page_size;
