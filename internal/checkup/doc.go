// Package checkup says what is wrong with an installation of regcred and what to do next. It decides from facts alone: it reads nothing and
// knows no clock.
package checkup
