package testdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/testdb/dbgen"

	"github.com/gosimple/slug"
)

// NewPaper is what CreatePaper takes, and a line of a catalogue.
type NewPaper struct {
	Name        string       `json:"name"`
	URL         string       `json:"url"` // its segment of a path; made from the name when empty
	Year        int32        `json:"year"`
	PriceCents  int64        `json:"price_cents"`
	ImageURL    *string      `json:"image_url"`
	HasPreview  bool         `json:"has_preview"`
	IsPublished bool         `json:"is_published"`
	Articles    []NewArticle `json:"articles"` // in display order
}

// NewArticle is an article to be. A URL of nil is none.
type NewArticle struct {
	Name          string  `json:"name"`
	LengthSeconds int32   `json:"length_seconds"`
	AudioURL      *string `json:"audio_url"`
	VideoURL      *string `json:"video_url"`
}

// PaperWithArticles is a paper with its articles in display order; Articles is never nil.
type PaperWithArticles struct {
	Paper

	Articles []Article `json:"articles"`
}

// MaxArticles is how many articles a paper can have.
const MaxArticles = 999

// CreatePaper inserts a paper with its articles, in one statement, and returns them as stored, with what a trigger
// changed. It returns ErrPaperNameTaken or ErrPaperURLTaken when another paper has the name or the URL, ErrInvalid when
// a value is not allowed, and ErrRowsNotKept when a trigger dropped the paper or an article; nothing is kept then.
//
// A second call with the same paper returns ErrPaperNameTaken. When the reply is lost, the error is ErrOutcomeUnknown:
// a second call then returns ErrPaperNameTaken if the first one was kept.
func (r *Repo) CreatePaper(ctx context.Context, a NewPaper) (PaperWithArticles, error) {
	const op = "create paper"
	var t articleColumns
	if err := a.complete(op, "", &t); err != nil {
		return PaperWithArticles{}, err
	}
	row, err := r.querier.CreatePaper(ctx, dbgen.CreatePaperParams{
		Name: a.Name, URL: a.URL, Year: a.Year, PriceCents: a.PriceCents, ImageURL: a.ImageURL,
		HasPreview: a.HasPreview, IsPublished: a.IsPublished,
		ArticleNames: t.names, ArticleLengths: t.lengths, ArticleAudioURLs: t.audio, ArticleVideoURLs: t.video,
	})
	if errors.Is(err, ErrNotFound) {
		return PaperWithArticles{}, dbtx.Wrap(op, ErrRowsNotKept)
	}
	if err != nil {
		return PaperWithArticles{}, err
	}

	return a.stored(row), nil
}

// CreatePapers inserts papers with their articles, all of them or none, in one statement. It returns the errors of
// CreatePaper, but that of a constraint does not say which paper it was: call CreatePaper for each to learn it. It
// returns ErrRowsNotKept also when a trigger changed the URL of a paper, because the statement finds the paper of its
// articles by the URL. Without papers it does nothing.
//
// A second call with the same papers returns ErrPaperNameTaken. When the reply is lost, the error is ErrOutcomeUnknown:
// a second call then returns ErrPaperNameTaken if the first one was kept.
func (r *Repo) CreatePapers(ctx context.Context, papers []NewPaper) error {
	const op = "create papers"
	if len(papers) == 0 {
		return nil
	}
	var p dbgen.CreatePapersParams
	var t articleColumns
	for i, a := range papers {
		path := "papers[" + strconv.Itoa(i) + "]."
		if err := a.complete(op, path, &t); err != nil {
			return err
		}
		if a.URL == "" {
			if a.URL = PaperURL(a.Name); a.URL == "" {
				return &InvalidError{Op: op, Field: path + "url", Reason: noURL}
			}
		}
		image := ""
		if a.ImageURL != nil {
			if image = *a.ImageURL; image == "" {
				return &InvalidError{Op: op, Field: path + "image_url", Reason: isEmpty}
			}
		}
		p.Names, p.URLs, p.Years = append(p.Names, a.Name), append(p.URLs, a.URL), append(p.Years, a.Year)
		p.PricesCents, p.ImageURLs = append(p.PricesCents, a.PriceCents), append(p.ImageURLs, image)
		p.HavePreview, p.ArePublished = append(p.HavePreview, a.HasPreview), append(p.ArePublished, a.IsPublished)
		for n := range a.Articles {
			p.ArticlePapers = append(p.ArticlePapers, int32(i+1))
			p.ArticleOrders = append(p.ArticleOrders, int32(n+1))
		}
	}
	p.ArticleNames, p.ArticleLengths, p.ArticleAudioURLs, p.ArticleVideoURLs = t.names, t.lengths, t.audio, t.video

	return r.querier.CreatePapers(ctx, p)
}

// articleColumns are articles as the statements take them: column by column, "" being no URL.
type articleColumns struct {
	names        []string
	lengths      []int32
	audio, video []string
}

const isEmpty = "is empty: leave it out"

// complete checks of a paper what the statement does not, and adds the articles to t. An error names the field, behind path.
func (a *NewPaper) complete(op, path string, t *articleColumns) error {
	if len(a.Articles) > MaxArticles {
		why := fmt.Sprintf("%d are too many: a paper has %d at most", len(a.Articles), MaxArticles)

		return &InvalidError{Op: op, Field: path + "articles", Reason: why}
	}
	n := len(a.Articles)
	t.names, t.lengths = slices.Grow(t.names, n), slices.Grow(t.lengths, n)
	t.audio, t.video = slices.Grow(t.audio, n), slices.Grow(t.video, n)
	for i, article := range a.Articles {
		audio, video := "", ""
		for _, text := range []struct {
			field string
			from  *string
			to    *string
		}{{"name", &article.Name, nil}, {"audio_url", article.AudioURL, &audio}, {"video_url", article.VideoURL, &video}} {
			if text.from == nil {
				continue
			}
			why := dbtx.Unstorable(*text.from)
			if text.to != nil {
				if *text.to = *text.from; *text.to == "" {
					why = isEmpty
				}
			}
			if why != "" {
				field := path + "articles[" + strconv.Itoa(i) + "]." + text.field

				return &InvalidError{Op: op, Field: field, Reason: why}
			}
		}
		t.names, t.lengths = append(t.names, article.Name), append(t.lengths, article.LengthSeconds)
		t.audio, t.video = append(t.audio, audio), append(t.video, video)
	}

	return nil
}

// stored returns the paper as the database holds it. Of the articles, the statement returned the ids, and those columns that
// are not as they were sent.
func (a NewPaper) stored(row dbgen.CreatePaperRow) PaperWithArticles {
	paper := PaperWithArticles{Articles: make([]Article, len(a.Articles)), Paper: Paper{
		ID: row.ID, Name: row.Name, URL: row.URL, Year: row.Year, PriceCents: row.PriceCents, ImageURL: row.ImageURL,
		HasPreview: row.HasPreview, IsPublished: row.IsPublished,
	}}
	for i, sent := range a.Articles {
		t := Article{
			ID: row.ArticleIDs[i], PaperID: row.ID, Name: sent.Name, LengthSeconds: sent.LengthSeconds,
			AudioURL: sent.AudioURL, VideoURL: sent.VideoURL, DisplayOrder: int32(i + 1),
		}
		if row.ArticleNames != nil {
			t.Name = row.ArticleNames[i]
		}
		if row.ArticleLengths != nil {
			t.LengthSeconds = row.ArticleLengths[i]
		}
		if row.ArticleAudioURLs != nil {
			t.AudioURL = urlOrNil(row.ArticleAudioURLs[i])
		}
		if row.ArticleVideoURLs != nil {
			t.VideoURL = urlOrNil(row.ArticleVideoURLs[i])
		}
		if row.DisplayOrders != nil {
			t.DisplayOrder = row.DisplayOrders[i]
		}
		paper.Articles[i] = t
	}

	return paper
}

// urlOrNil returns a URL as a paper or article has it: nil is none.
func urlOrNil(url string) *string {
	if url == "" {
		return nil
	}

	return &url
}

// PaperURL makes the URL of a paper from its name: lower-case ASCII letters, digits and hyphens, with other letters
// transliterated ("Ágætis byrjun" gives "agaetis-byrjun"), 200 characters at most. It is "" when nothing of the name is
// left. The URL of a URL is itself.
func PaperURL(name string) string {
	const longest = 200
	if runes := []rune(name); len(runes) > longest { // no name is longer
		name = string(runes[:longest])
	}
	url := slug.Make(name)

	return strings.Trim(url[:min(len(url), longest)], "-_")
}

const noURL = "is missing, and can't be made from the name"

// paperURL derives papers.url.
func paperURL(name string) (string, error) {
	url := PaperURL(name)
	if url == "" {
		return "", &InvalidError{Field: "url", Reason: noURL}
	}

	return url, nil
}

// GetPaper returns a paper with its articles; ErrNotFound when there is none.
func (r *Repo) GetPaper(ctx context.Context, id int64) (PaperWithArticles, error) {
	paper, err := r.querier.GetPaper(ctx, id)

	return r.withItsArticles(ctx, paper, err)
}

// GetPaperByURL returns the paper at a URL with its articles; ErrNotFound when there is none.
func (r *Repo) GetPaperByURL(ctx context.Context, url string) (PaperWithArticles, error) {
	paper, err := r.querier.GetPaperByURL(ctx, url)

	return r.withItsArticles(ctx, paper, err)
}

// ListPublishedPapers returns a page of the published papers with their articles, the newest year first, in two
// statements. The page after it is at AfterPublishedPaper(last).
func (r *Repo) ListPublishedPapers(ctx context.Context, page Page) ([]PaperWithArticles, error) {
	papers, err := r.publishedPapers(ctx, page)
	if err != nil {
		return nil, err
	}

	return r.withArticles(ctx, papers)
}

// publishedPapers is ListPublishedPapers without the articles.
func (r *Repo) publishedPapers(ctx context.Context, page Page) ([]Paper, error) {
	const op = "list published papers"
	at, limit, err := page.read(op, position{math.MaxInt32, strconv.FormatInt(math.MaxInt64, 10)})
	if err != nil {
		return nil, err
	}
	id, err := at.number(op)
	if err != nil || at.order != int64(int32(at.order)) { //nolint:gosec // that is what is checked
		return nil, badPlace(op)
	}

	return r.querier.ListPublishedPapers(ctx, dbgen.ListPublishedPapersParams{
		BeforeYear: int32(at.order), BeforeID: id, PageSize: limit, //nolint:gosec // checked above
	})
}

// AfterPublishedPaper is the place in ListPublishedPapers behind a paper.
func AfterPublishedPaper(a PaperWithArticles) string {
	return position{int64(a.Year), strconv.FormatInt(a.ID, 10)}.String()
}

// AllPublishedPapers walks all published papers, the newest year first. However long their texts are, it holds no more
// than about a thousand articles at a time. An error ends the walk, as its last pair.
func (r *Repo) AllPublishedPapers(ctx context.Context) iter.Seq2[PaperWithArticles, error] {
	return r.walkPapers(ctx, AfterPublishedPaper, r.publishedPapers)
}

// ListPapers returns a page of all papers with their articles, published or not, in the order they were created, in two
// statements. The page after it is at AfterPaper(last).
func (r *Repo) ListPapers(ctx context.Context, page Page) ([]PaperWithArticles, error) {
	papers, err := r.papers(ctx, page)
	if err != nil {
		return nil, err
	}

	return r.withArticles(ctx, papers)
}

// papers is ListPapers without the articles.
func (r *Repo) papers(ctx context.Context, page Page) ([]Paper, error) {
	at, limit, err := page.read("list papers", position{math.MinInt64, ""})
	if err != nil {
		return nil, err
	}

	return r.querier.ListPapers(ctx, dbgen.ListPapersParams{AfterID: at.order, PageSize: limit})
}

// AfterPaper is the place in ListPapers behind a paper.
func AfterPaper(a PaperWithArticles) string { return position{a.ID, ""}.String() }

// AllPapers walks all papers in the order they were created. However long their texts are, it holds no more than about
// a thousand articles at a time. An error ends the walk, as its last pair.
func (r *Repo) AllPapers(ctx context.Context) iter.Seq2[PaperWithArticles, error] {
	return r.walkPapers(ctx, AfterPaper, r.papers)
}

// walkArticles is how many articles a walk reads at a time, and walkPage how many papers. A paper has MaxArticles at most, so a
// page of one paper always fits. A article has 16 kB of text at most.
const (
	walkArticles = MaxArticles + 1
	walkPage     = 20
)

// walkPapers goes through all pages of a list of papers. A page whose articles are too many is read again, half as long.
func (r *Repo) walkPapers(
	ctx context.Context, after func(PaperWithArticles) string, list func(context.Context, Page) ([]Paper, error),
) iter.Seq2[PaperWithArticles, error] {
	return func(yield func(PaperWithArticles, error) bool) {
		for page := (Page{Limit: walkPage}); ; {
			papers, err := list(ctx, page)
			var articles []Article
			if err == nil {
				articles, err = r.ListFirstArticlesOfPapers(ctx, dbgen.ListFirstArticlesOfPapersParams{
					PaperIDs: paperIDs(papers), PageSize: walkArticles,
				})
			}
			if err != nil {
				yield(PaperWithArticles{}, err)

				return
			}
			if len(articles) == walkArticles && len(papers) > 1 {
				page.Limit = len(papers) / 2

				continue
			}
			for _, a := range papers {
				full := PaperWithArticles{Paper: a, Articles: articlesOf(a.ID, articles)}
				page.After = after(full)
				if !yield(full, nil) {
					return
				}
			}
			if len(papers) < page.Limit {
				return
			}
			// As many papers as will fit if they are like these.
			page.Limit = max(1, min(len(papers)*MaxArticles/max(1, len(articles)), walkPage))
		}
	}
}

func (r *Repo) withItsArticles(ctx context.Context, paper Paper, err error) (PaperWithArticles, error) {
	if err != nil {
		return PaperWithArticles{}, err
	}
	articles, err := r.ListArticlesOfPaper(ctx, paper.ID)

	return PaperWithArticles{Paper: paper, Articles: articles}, err
}

// withArticles loads the articles of all papers with one statement, and shares them out.
func (r *Repo) withArticles(ctx context.Context, papers []Paper) ([]PaperWithArticles, error) {
	full := make([]PaperWithArticles, len(papers))
	if len(papers) == 0 {
		return full, nil
	}
	articles, err := r.ListArticlesOfPapers(ctx, paperIDs(papers))
	if err != nil {
		return nil, err
	}
	for i, a := range papers {
		full[i] = PaperWithArticles{Paper: a, Articles: articlesOf(a.ID, articles)}
	}

	return full, nil
}

func paperIDs(papers []Paper) []int64 {
	ids := make([]int64, len(papers))
	for i, a := range papers {
		ids[i] = a.ID
	}

	return ids
}

// articlesOf returns the articles of a paper, out of those of many, which come paper by paper.
func articlesOf(paperID int64, articles []Article) []Article {
	first, _ := slices.BinarySearchFunc(articles, paperID, func(t Article, id int64) int { return cmp.Compare(t.PaperID, id) })
	end := first
	for end < len(articles) && articles[end].PaperID == paperID {
		end++
	}

	return articles[first:end:end]
}
