package testdb

import (
	"context"
	"errors"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb/dbgen"
)

// The articles of a paper are numbered 1 to n without holes, also when several callers change them at once: each holds
// the paper until its transaction ends, and the statement that renumbers begins after it has it. One statement alone
// would not do: what it reads is from before it waited.

// AddArticle puts an article into a paper at a position, 1 being the first and 0 the end, moves those behind it on by one,
// and returns it as stored. It returns ErrNotFound when there is no such paper, ErrArticlePositionInvalid when the
// position is beyond the end or the paper is full, and ErrRowsNotKept when a trigger dropped the article. A second call
// adds a second article.
func (r *Repo) AddArticle(ctx context.Context, paperID int64, t NewArticle, position int) (Article, error) {
	const op = "add article"
	to, err := r.displayOrder(op, position, 0)
	if err != nil {
		return Article{}, err
	}
	var added Article
	err = r.InTx(ctx, func(tx *Repo) (err error) {
		if _, err = tx.LockPaper(ctx, paperID); err != nil {
			return err
		}
		added, err = tx.querier.AddArticle(ctx, dbgen.AddArticleParams{
			PaperID: paperID, Position: to,
			Name: t.Name, LengthSeconds: t.LengthSeconds, AudioURL: t.AudioURL, VideoURL: t.VideoURL,
		})
		if errors.Is(err, ErrNotFound) {
			return tx.unplaced(ctx, op, paperID, int(to), 1)
		}

		return err
	})
	if err != nil {
		return Article{}, err
	}

	return added, nil
}

// MoveArticle gives an article of a paper another position, 1 being the first, shifts those in between by one, and returns
// it as stored. ErrNotFound when there is no such article, ErrArticlePositionInvalid when the position is beyond the end,
// ErrRowsNotKept when a trigger dropped the change.
func (r *Repo) MoveArticle(ctx context.Context, id int64, position int) (Article, error) {
	const op = "move article"
	to, err := r.displayOrder(op, position, 1)
	if err != nil {
		return Article{}, err
	}
	var moved Article
	err = r.withArticleLocked(ctx, id, func(tx *Repo, t Article) error {
		if moved = t; t.DisplayOrder == to {
			return nil
		}
		row, err := tx.querier.MoveArticle(ctx, dbgen.MoveArticleParams{ID: id, Position: to})
		if errors.Is(err, ErrNotFound) {
			return tx.unplaced(ctx, op, t.PaperID, int(to), 0)
		}
		moved = Article(row)

		return err
	})
	if err != nil {
		return Article{}, err
	}

	return moved, nil
}

// DeleteArticle deletes an article, closes the gap it leaves, and returns it; ErrNotFound when there is none, ErrRowsNotKept
// when a trigger kept an article behind it from moving up.
func (r *Repo) DeleteArticle(ctx context.Context, id int64) (Article, error) {
	var deleted Article
	err := r.withArticleLocked(ctx, id, func(tx *Repo, _ Article) error {
		row, err := tx.querier.DeleteArticle(ctx, id)
		if err != nil {
			return err
		}
		if row.Moved != row.Behind {
			return dbtx.Wrap("delete article", ErrRowsNotKept)
		}
		deleted = Article{
			ID: row.ID, PaperID: row.PaperID, Name: row.Name, LengthSeconds: row.LengthSeconds,
			AudioURL: row.AudioURL, VideoURL: row.VideoURL, DisplayOrder: row.DisplayOrder,
		}

		return nil
	})
	if err != nil {
		return Article{}, err
	}

	return deleted, nil
}

// LoadArticles adds any number of articles to existing papers by COPY, all of them or none, and returns how many. The
// caller numbers the articles of each paper, from 1 and without holes. It returns ErrArticlePaperUnknown when there is no
// such paper, ErrArticlePositionTaken when the paper has an article with that number, ErrInvalid when a value is not
// allowed, and ErrRowsNotKept when a trigger dropped an article. A second call with the same articles returns
// ErrArticlePositionTaken.
//
// It is a transaction, because only the end of a COPY says how many rows were kept.
func (r *Repo) LoadArticles(ctx context.Context, articles []LoadArticlesParams) (int64, error) {
	if len(articles) == 0 {
		return 0, nil
	}
	err := r.InTx(ctx, func(tx *Repo) error {
		n, err := tx.querier.LoadArticles(ctx, articles)
		if err == nil && n != int64(len(articles)) {
			return dbtx.Wrap("load articles", ErrRowsNotKept)
		}

		return err
	})
	if err != nil {
		return 0, err
	}

	return int64(len(articles)), nil
}

// withArticleLocked runs fn with an article whose paper is held.
func (r *Repo) withArticleLocked(ctx context.Context, id int64, fn func(*Repo, Article) error) error {
	return r.InTx(ctx, func(tx *Repo) error {
		article, err := tx.GetArticle(ctx, id)
		if err != nil {
			return err
		}
		if _, err := tx.LockPaper(ctx, article.PaperID); err != nil {
			return err
		}
		if article, err = tx.GetArticle(ctx, id); err != nil { // it may have been moved or deleted meanwhile
			return err
		}

		return fn(tx, article)
	})
}

func (r *Repo) displayOrder(op string, position, least int) (int32, error) {
	if position < least || position > MaxArticles {
		return 0, r.beyondTheEnd(op)
	}

	return int32(position), nil //nolint:gosec // MaxArticles at most
}

// unplaced is the error of an article that got no place in a locked paper: the position is more than that many places behind
// the last article, or a trigger dropped the article.
func (r *Repo) unplaced(ctx context.Context, op string, paperID int64, position, places int) error {
	articles, err := r.ListArticlesOfPaper(ctx, paperID)
	switch {
	case err != nil:
		return err
	case position > len(articles)+places:
		return r.beyondTheEnd(op)
	default:
		return dbtx.Wrap(op, ErrRowsNotKept)
	}
}

// beyondTheEnd is the error of a position that the paper does not have.
func (r *Repo) beyondTheEnd(op string) error {
	return r.store.Refused(op, ErrArticlePositionInvalid)
}
