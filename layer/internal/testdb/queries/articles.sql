-- name: GetArticle :one
-- GetArticle returns the article with this id; no row when there is none.
SELECT *
FROM articles
WHERE id = @id;

-- name: ListArticlesOfPapers :many
-- ListArticlesOfPapers returns the articles of all these papers, paper by paper, in display order.
SELECT *
FROM articles
WHERE paper_id = ANY(@paper_ids::bigint[])
ORDER BY paper_id, display_order;

-- name: LoadArticles :copyfrom
-- LoadArticles adds any number of articles by COPY, all of them or none, and returns how many.
INSERT INTO articles (paper_id, name, length_seconds, audio_url, video_url, display_order)
VALUES (@paper_id, @name, @length_seconds, @audio_url, @video_url, @display_order);

-- name: RenameArticle :batchexec
-- RenameArticle gives an article another name.
UPDATE articles
SET name = @name
WHERE id = @id;
