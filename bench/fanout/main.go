// fanout measures what many watchers of one kind do to everybody else: how long a GET takes while nobody watches, while
// they watch and nothing changes, and while what they watch changes as fast as the server takes the changes (or with a
// pause between them).
//
//	fanout -server https://127.0.0.1:6443 -cert admin.crt -key admin.key -watchers 1000 -seconds 10
//
// GETs are sent by a process of their own: one that also reads a thousand streams would measure itself. It prints one
// JSON object, times in milliseconds. Standard library only.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	server   = flag.String("server", "https://127.0.0.1:6443", "")
	cert     = flag.String("cert", "", "client certificate file")
	key      = flag.String("key", "", "client key file")
	watchers = flag.Int("watchers", 1000, "")
	pods     = flag.Int("pods", 50, "what changes, and is read")
	seconds  = flag.Int("seconds", 10, "of each part")
	readers  = flag.Int("readers", 4, "who send GETs, one each ten milliseconds")
	pause    = flag.Duration("pause", 0, "between a change's answer and the next change")
	ns       = flag.String("ns", "fanout", "")
	gets     = flag.Bool("gets", false, "only send GETs: the process of its own")
)

func client() *http.Client {
	conf := &tls.Config{InsecureSkipVerify: true}
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			panic(err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: conf}}
}

func do(h *http.Client, method, path, kind, body string) (int, []byte, error) {
	req, err := http.NewRequest(method, *server+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept", "application/json")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := h.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

type stat struct {
	N      int     `json:"n"`
	Errors int     `json:"errors"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
}

func summary(took []float64, errors int) stat {
	sort.Float64s(took)
	s := stat{N: len(took), Errors: errors}
	if len(took) > 0 {
		s.P50, s.P99, s.Max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}
	return s
}

func milliseconds(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }

func base() string { return "/api/v1/namespaces/" + *ns + "/pods" }

// sendGets reads one pod after the other and prints how long that took.
func sendGets() {
	var mu sync.Mutex
	var took []float64
	var errors int
	var all sync.WaitGroup
	until := time.Now().Add(time.Duration(*seconds) * time.Second)
	for r := 0; r < *readers; r++ {
		all.Add(1)
		go func(r int) {
			defer all.Done()
			h := client()
			do(h, "GET", "/version", "", "") // the handshake is not what is measured
			for i := r; time.Now().Before(until); i++ {
				began := time.Now()
				code, _, err := do(h, "GET", fmt.Sprintf("%s/p-%d", base(), i%*pods), "", "")
				ms := milliseconds(began)
				mu.Lock()
				if err != nil || code != 200 {
					errors++
				} else {
					took = append(took, ms)
				}
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
			}
		}(r)
	}
	all.Wait()
	json.NewEncoder(os.Stdout).Encode(summary(took, errors))
}

// getsElsewhere has another process send GETs, and gives what came of it.
func getsElsewhere() json.RawMessage {
	said, err := exec.Command(os.Args[0], append(os.Args[1:], "-gets")...).Output()
	if err != nil {
		panic(err)
	}
	return bytes.TrimSpace(said)
}

func pod(i int) string {
	env := make([]string, 12)
	for k := range env {
		env[k] = fmt.Sprintf(`{"name":"SETTING_%d","value":"%s"}`, k, strings.Repeat("v", 40))
	}
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p-%d","namespace":%q,"labels":{"app":"bench"},`+
		`"annotations":{"note":"%s"}},"spec":{"schedulerName":"nobody","containers":[{"name":"main","image":"example/none:1",`+
		`"env":[%s]}]}}`, i, *ns, strings.Repeat("n", 200), strings.Join(env, ","))
}

func prepare(h *http.Client) {
	do(h, "POST", "/api/v1/namespaces", "application/json",
		fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, *ns))
	do(h, "POST", "/api/v1/namespaces/"+*ns+"/serviceaccounts", "application/json",
		`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}}`) // where no controller makes it
	for i := 0; i < *pods; i++ {
		if code, b, err := do(h, "POST", base(), "application/json", pod(i)); err != nil || (code != 201 && code != 409) {
			fmt.Fprintln(os.Stderr, code, string(b), err)
			os.Exit(1)
		}
	}
}

// counted is what the watchers have been given, and how late.
type counted struct {
	events atomic.Int64
	bytes  atomic.Int64
	mu     sync.Mutex
	lags   []float64
}

// follow reads one watch; a change's annotation says when it was sent.
func follow(body io.Reader, c *counted) {
	r := bufio.NewReaderSize(body, 1<<16)
	for n := 0; ; n++ {
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return
		}
		c.events.Add(1)
		c.bytes.Add(int64(len(line)))
		at := bytes.Index(line, []byte(`"sent":"`))
		if at < 0 || n%8 != 0 {
			continue
		}
		text := line[at+8:]
		sent, _ := strconv.ParseInt(string(text[:bytes.IndexByte(text, '"')]), 10, 64)
		lag := float64(time.Now().UnixMicro()-sent) / 1000
		c.mu.Lock()
		c.lags = append(c.lags, lag)
		c.mu.Unlock()
	}
}

// watch opens the watches, a few at a time.
func watch(revision string, c *counted) (failed int64) {
	var all sync.WaitGroup
	gate := make(chan struct{}, 16)
	var errors atomic.Int64
	for w := 0; w < *watchers; w++ {
		all.Add(1)
		gate <- struct{}{}
		go func() {
			h := client()
			req, _ := http.NewRequest("GET", *server+base()+"?watch=1&resourceVersion="+revision, nil)
			req.Header.Set("Accept", "application/json")
			resp, err := h.Do(req)
			<-gate
			all.Done()
			if err != nil || resp.StatusCode != 200 {
				errors.Add(1)
				return
			}
			follow(resp.Body, c)
		}()
	}
	all.Wait()
	return errors.Load()
}

// change patches one pod after the other until it is told to stop, and gives how long each patch took.
func change(h *http.Client, stop chan struct{}) (took []float64, errors int) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return took, errors
		default:
		}
		began := time.Now()
		body := fmt.Sprintf(`{"metadata":{"annotations":{"sent":"%d"}}}`, began.UnixMicro())
		code, _, err := do(h, "PATCH", fmt.Sprintf("%s/p-%d", base(), i%*pods), "application/merge-patch+json", body)
		if err != nil || code != 200 {
			errors++
		} else {
			took = append(took, milliseconds(began))
		}
		time.Sleep(*pause)
	}
}

func main() {
	flag.Parse()
	if *gets {
		sendGets()
		return
	}
	h := client()
	prepare(h)
	out := map[string]any{"get_alone": getsElsewhere()}
	_, b, _ := do(h, "GET", base()+"?limit=1", "", "")
	var list struct {
		Metadata struct{ ResourceVersion string }
	}
	json.Unmarshal(b, &list)
	c := &counted{}
	out["watch_errors"] = watch(list.Metadata.ResourceVersion, c)
	out["get_idle"] = getsElsewhere()
	stop, done := make(chan struct{}), make(chan stat)
	go func() {
		took, errors := change(h, stop)
		done <- summary(took, errors)
	}()
	before, beforeBytes, began := c.events.Load(), c.bytes.Load(), time.Now()
	out["get_changes"] = getsElsewhere()
	passed := time.Since(began).Seconds()
	out["events_per_s"] = float64(c.events.Load()-before) / passed
	out["mb_per_s"] = float64(c.bytes.Load()-beforeBytes) / passed / 1e6
	close(stop)
	out["change"] = <-done
	c.mu.Lock()
	out["lag"] = summary(c.lags, 0)
	c.mu.Unlock()
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	e.Encode(out)
}
