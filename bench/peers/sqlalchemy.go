package peers

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"time"
)

//go:embed sqlalchemy.py
var sqlalchemy string

// SQLAlchemy is a Python process that does blocks of calls.
type SQLAlchemy struct {
	Version string

	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// OpenSQLAlchemy starts the process. The error says what is missing, if it is not installed.
func OpenSQLAlchemy(ctx context.Context, dsn string) (*SQLAlchemy, error) {
	const python = "/usr/bin/python3" // for which Debian's packages are; another may come first on PATH
	version, err := exec.CommandContext(ctx, python, "-c",
		"import sqlalchemy, psycopg2; print(sqlalchemy.__version__)").Output()
	if err != nil {
		return nil, errors.New("not installed: apt-get install python3-sqlalchemy python3-psycopg2")
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, err
	}
	u.Scheme = "postgresql+psycopg2"
	cmd := exec.CommandContext(ctx, python, "-c", sqlalchemy, u.String(), strconv.Itoa(PoolSize))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}

	return &SQLAlchemy{string(version[:len(version)-1]), cmd, in, bufio.NewReader(out)}, cmd.Start()
}

// Close ends the process.
func (p *SQLAlchemy) Close() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// Block does a block of calls and returns how long it took, and how long the processor was busy with it.
func (p *SQLAlchemy) Block(op string, threads int, inputs []any) (wall, cpu time.Duration, err error) {
	var answer struct {
		Wall, CPU time.Duration
		Error     string
	}
	err = p.ask(map[string]any{"op": op, "threads": threads, "in": inputs, "check": false}, &answer)
	if err == nil && answer.Error != "" {
		err = errors.New(answer.Error)
	}

	return answer.Wall, answer.CPU, err
}

// Check does one call and returns its result as JSON has it.
func (p *SQLAlchemy) Check(op string, input any) (any, error) {
	var answer struct {
		Result any
		Error  string
	}
	err := p.ask(map[string]any{"op": op, "threads": 1, "in": []any{input}, "check": true}, &answer)
	if err == nil && answer.Error != "" {
		err = errors.New(answer.Error)
	}

	return answer.Result, err
}

func (p *SQLAlchemy) ask(question, answer any) error {
	line, err := json.Marshal(question)
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return err
	}
	if line, err = p.out.ReadBytes('\n'); err != nil {
		return fmt.Errorf("the process has ended: %w", err)
	}

	return json.Unmarshal(line, answer)
}
