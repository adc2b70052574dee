package v1alpha1

// VerificationMode says how a credential is tested.
type VerificationMode string

const (
	// VerifyPull logs in and asks for the manifest of an image.
	VerifyPull VerificationMode = "Pull"
	// VerifyLogin logs in only.
	VerifyLogin VerificationMode = "Login"
	// VerifyDisabled tests nothing.
	VerifyDisabled VerificationMode = "Disabled"
)

// Verification says how the credential is tested at its registry.
//
// +kubebuilder:validation:XValidation:rule="!has(self.images) || self.images.size() == 0 || !has(self.mode) || self.mode == 'Pull'",message="images are asked for with mode Pull only: leave images out, or set mode to Pull"
type Verification struct {
	// mode is Pull (log in and ask for the manifest of an image), Login (log in only) or Disabled. Defaults to Pull.
	// +optional
	// +kubebuilder:validation:Enum=Pull;Login;Disabled
	Mode VerificationMode `json:"mode,omitempty"`
	// images that this credential must be able to pull. With none, up to three images in use in the target namespaces are
	// sampled for each registry.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[A-Za-z0-9[][^[:space:][:cntrl:]]*$') && !self.contains('://')",message="an image is written as in a pod, such as registry.company.io/team/app:1, without a scheme and blanks"
	Images []string `json:"images,omitempty"`
	// periodSeconds is how often the published credential is tested again. Defaults to 600.
	// +optional
	// +kubebuilder:validation:Minimum=30
	// +kubebuilder:validation:Maximum=86400
	PeriodSeconds *int32 `json:"periodSeconds,omitempty"`
	// holdSeconds is how long at most a new value that could neither be proven nor was rejected is held back. Defaults to 120.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	HoldSeconds *int32 `json:"holdSeconds,omitempty"`
}
