// Package metricsaccess gives the metrics to those who may read them: the API server says whose token a request has (TokenReview), and
// whether that user may get the path (SubjectAccessReview of a nonResourceURL).
//
// controller-runtime has a filter that does the same. It links the API server's own libraries into the program, which makes it 8 MB larger and
// takes 11 MiB of memory from the start.
package metricsaccess

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const (
	// timeout of the two questions together.
	timeout = 10 * time.Second
	// keepAllowed is for how long a scraper is not asked about again, and keepRefused others.
	keepAllowed, keepRefused = time.Minute, 10 * time.Second
	// mostAnswers are kept, of each sort: who tries many tokens makes the operator forget other refusals, and use no memory.
	mostAnswers = 256
	// mostQuestions are open at the same time about tokens that were not let in lately: the API server has other work than to answer for
	// those who try tokens. As many more are about others, which do not wait behind them.
	mostQuestions = 4
	// lately is for how long a scraper that was let in does not wait behind unknown tokens.
	lately = time.Hour
	// longestToken is longer than any that the API server issues, in bytes.
	longestToken = 16 << 10
)

// Filter is what the metrics server asks for each request. Its own identity needs the right to create tokenreviews and subjectaccessreviews.
func Filter(config *rest.Config, client *http.Client) (metricsserver.Filter, error) {
	tokens, err := authentication.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a client for token reviews: %w", err)
	}
	access, err := authorization.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, fmt.Errorf("make a client for access reviews: %w", err)
	}
	return func(log logr.Logger, metrics http.Handler) (http.Handler, error) {
		return &guard{
			tokens: tokens.TokenReviews(), access: access.SubjectAccessReviews(), log: log, metrics: metrics,
			allowed: cache.NewLRUExpireCache(mostAnswers), refused: cache.NewLRUExpireCache(mostAnswers), friends: cache.NewLRUExpireCache(mostAnswers),
			strangersTurns: make(chan struct{}, mostQuestions), friendsTurns: make(chan struct{}, mostQuestions),
		}, nil
	}, nil
}

// guard stands before the metrics.
type guard struct {
	tokens  authentication.TokenReviewInterface
	access  authorization.SubjectAccessReviewInterface
	log     logr.Logger
	metrics http.Handler
	// allowed and refused are answers by a hash of token, verb and path, and friends those that were allowed lately. They are kept apart:
	// anybody can have tokens refused, as many as he likes.
	allowed, refused, friends    *cache.LRUExpireCache
	strangersTurns, friendsTurns chan struct{}
}

// ServeHTTP implements [http.Handler].
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, err := g.status(r)
	switch {
	case err != nil:
		// Of the error only its reason is told: nobody can say what an error of a review quotes.
		g.log.Info("The API server did not say who may read the metrics", "reason", apierrors.ReasonForError(err))
		http.Error(w, "the API server did not say who you are: try again later", http.StatusInternalServerError)
	case status == http.StatusUnauthorized:
		http.Error(w, "a bearer token of this cluster is needed", status)
	case status == http.StatusForbidden:
		http.Error(w, "your role lacks the verb get for the nonResourceURL "+r.URL.Path, status)
	default:
		g.metrics.ServeHTTP(w, r)
	}
}

// status is what a request gets: OK, Unauthorized or Forbidden.
func (g *guard) status(r *http.Request) (int, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > longestToken {
		return http.StatusUnauthorized, nil
	}
	verb, path := strings.ToLower(r.Method), r.URL.Path
	key := sha256.Sum256([]byte(strings.Join([]string{token, verb, path}, "\n")))
	if status, known := g.remembered(key); known {
		return status, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	turns := g.strangersTurns
	if _, friend := g.friends.Get(key); friend {
		turns = g.friendsTurns
	}
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if status, known := g.remembered(key); known { // one question serves all who waited with it
		return status, nil
	}
	status, err := g.ask(ctx, token, verb, path)
	if err != nil {
		return 0, err
	}
	g.remember(key, status)
	return status, nil
}

func (g *guard) remembered(key [sha256.Size]byte) (status int, known bool) {
	if _, allowed := g.allowed.Get(key); allowed {
		return http.StatusOK, true
	}
	kept, _ := g.refused.Get(key)
	status, known = kept.(int)
	return status, known
}

func (g *guard) remember(key [sha256.Size]byte, status int) {
	if status != http.StatusOK {
		g.friends.Remove(key)
		g.refused.Add(key, status, keepRefused)
		return
	}
	g.allowed.Add(key, status, keepAllowed)
	g.friends.Add(key, status, lately)
}

// ask asks the API server whose token this is, and whether that user may do what is asked for.
func (g *guard) ask(ctx context.Context, token, verb, path string) (int, error) {
	who, err := g.tokens.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review a token: %w", err)
	}
	if !who.Status.Authenticated {
		return http.StatusUnauthorized, nil
	}
	user := who.Status.User
	extra := map[string]authorizationv1.ExtraValue{}
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	may, err := g.access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: path, Verb: verb},
	}}, metav1.CreateOptions{})
	if err != nil {
		return 0, fmt.Errorf("review a user's access: %w", err)
	}
	if !may.Status.Allowed || may.Status.Denied {
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}
