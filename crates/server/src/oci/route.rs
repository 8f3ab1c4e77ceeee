//! The paths of `/v2`, read from the right, and the IAM action of each.
//!
//! OCI distribution-spec 1.1, "Endpoints". A repository's name may hold slashes and words such as
//! `blobs`, so the fixed part is looked for at the end of the path. What is not served has no
//! variant; a variant without an action does not compile:
//!
//! ```compile_fail,E0004
//! fn action(route: &bonded_server::oci::Route) -> &'static str {
//!     match route {
//!         bonded_server::oci::Route::Ping => "",
//!     }
//! }
//! ```

use bonded_registry::Action;
use http::Method;

/// A request to `/v2`, by method and path. Names are as in the path, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `GET /v2/`
    Ping,
    /// `GET`, `HEAD /v2/NAME/manifests/REFERENCE`
    GetManifest {
        /// The repository.
        name: String,
        /// A tag or a digest.
        reference: String,
    },
    /// `PUT /v2/NAME/manifests/REFERENCE`
    PutManifest {
        /// The repository.
        name: String,
        /// A tag or a digest.
        reference: String,
    },
    /// `DELETE /v2/NAME/manifests/REFERENCE`
    DeleteManifest {
        /// The repository.
        name: String,
        /// A tag or a digest.
        reference: String,
    },
    /// `GET /v2/NAME/referrers/DIGEST`
    ListReferrers {
        /// The repository.
        name: String,
        /// The subject.
        digest: String,
    },
    /// `HEAD /v2/NAME/blobs/DIGEST`
    HeadBlob {
        /// The repository.
        name: String,
        /// The blob.
        digest: String,
    },
    /// `GET /v2/NAME/blobs/DIGEST`
    GetBlob {
        /// The repository.
        name: String,
        /// The blob.
        digest: String,
    },
    /// `DELETE /v2/NAME/blobs/DIGEST`
    DeleteBlob {
        /// The repository.
        name: String,
        /// The blob.
        digest: String,
    },
    /// `POST /v2/NAME/blobs/uploads/`
    StartUpload {
        /// The repository.
        name: String,
    },
    /// `GET /v2/NAME/blobs/uploads/ID`
    UploadStatus {
        /// The repository.
        name: String,
        /// The upload.
        id: String,
    },
    /// `PATCH /v2/NAME/blobs/uploads/ID`
    UploadPart {
        /// The repository.
        name: String,
        /// The upload.
        id: String,
    },
    /// `PUT /v2/NAME/blobs/uploads/ID`
    FinishUpload {
        /// The repository.
        name: String,
        /// The upload.
        id: String,
    },
    /// `DELETE /v2/NAME/blobs/uploads/ID`
    CancelUpload {
        /// The repository.
        name: String,
        /// The upload.
        id: String,
    },
    /// `GET /v2/NAME/tags/list`
    ListTags {
        /// The repository.
        name: String,
    },
}

/// Why a request has no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoute {
    /// No such path.
    Path,
    /// The path is there, but not with this method.
    Method,
}

impl Route {
    /// What it is called in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ping => "Ping",
            Self::GetManifest { .. } => "GetManifest",
            Self::PutManifest { .. } => "PutManifest",
            Self::DeleteManifest { .. } => "DeleteManifest",
            Self::ListReferrers { .. } => "ListReferrers",
            Self::HeadBlob { .. } => "HeadBlob",
            Self::GetBlob { .. } => "GetBlob",
            Self::DeleteBlob { .. } => "DeleteBlob",
            Self::StartUpload { .. } => "StartUpload",
            Self::UploadStatus { .. } => "UploadStatus",
            Self::UploadPart { .. } => "UploadPart",
            Self::FinishUpload { .. } => "FinishUpload",
            Self::CancelUpload { .. } => "CancelUpload",
            Self::ListTags { .. } => "ListTags",
        }
    }

    /// The route of `method` on `path`, which is percent-encoded as on the wire. Names, tags,
    /// digests and ids need no encoding, so an encoded path has no route.
    ///
    /// # Errors
    /// [`NoRoute`].
    pub fn parse(method: &Method, path: &str) -> Result<Self, NoRoute> {
        if path == "/v2" || path == "/v2/" {
            return if matches!(*method, Method::GET | Method::HEAD) {
                Ok(Self::Ping)
            } else {
                Err(NoRoute::Method)
            };
        }
        let rest = path.strip_prefix("/v2/").ok_or(NoRoute::Path)?;
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return only(
                method,
                &Method::GET,
                Self::ListTags {
                    name: name.to_owned(),
                },
            );
        }
        let starts = rest.strip_suffix('/').unwrap_or(rest);
        if let Some(name) = starts.strip_suffix("/blobs/uploads") {
            return only(
                method,
                &Method::POST,
                Self::StartUpload {
                    name: name.to_owned(),
                },
            );
        }
        let (front, last) = rest.rsplit_once('/').ok_or(NoRoute::Path)?;
        let last = last.to_owned();
        if let Some(name) = front.strip_suffix("/blobs/uploads") {
            return Self::upload(method, name.to_owned(), last);
        }
        if let Some(name) = front.strip_suffix("/blobs") {
            let name = name.to_owned();
            return match *method {
                Method::GET => Ok(Self::GetBlob { name, digest: last }),
                Method::HEAD => Ok(Self::HeadBlob { name, digest: last }),
                Method::DELETE => Ok(Self::DeleteBlob { name, digest: last }),
                _ => Err(NoRoute::Method),
            };
        }
        if let Some(name) = front.strip_suffix("/manifests") {
            return Self::manifest(method, name.to_owned(), last);
        }
        if let Some(name) = front.strip_suffix("/referrers") {
            return only(
                method,
                &Method::GET,
                Self::ListReferrers {
                    name: name.to_owned(),
                    digest: last,
                },
            );
        }
        Err(NoRoute::Path)
    }

    fn manifest(method: &Method, name: String, reference: String) -> Result<Self, NoRoute> {
        match *method {
            Method::GET | Method::HEAD => Ok(Self::GetManifest { name, reference }),
            Method::PUT => Ok(Self::PutManifest { name, reference }),
            Method::DELETE => Ok(Self::DeleteManifest { name, reference }),
            _ => Err(NoRoute::Method),
        }
    }

    fn upload(method: &Method, name: String, id: String) -> Result<Self, NoRoute> {
        match *method {
            Method::GET => Ok(Self::UploadStatus { name, id }),
            Method::PATCH => Ok(Self::UploadPart { name, id }),
            Method::PUT => Ok(Self::FinishUpload { name, id }),
            Method::DELETE => Ok(Self::CancelUpload { name, id }),
            _ => Err(NoRoute::Method),
        }
    }

    /// The IAM action that decides; `None` for the ping, which needs a valid token only.
    #[must_use]
    pub const fn action(&self) -> Option<Action> {
        Some(Action::new(match self {
            Self::Ping => return None,
            Self::GetManifest { .. } | Self::ListReferrers { .. } => "ecr:BatchGetImage",
            Self::DeleteManifest { .. } | Self::DeleteBlob { .. } => "ecr:BatchDeleteImage",
            Self::PutManifest { .. } => "ecr:PutImage",
            Self::HeadBlob { .. } => "ecr:BatchCheckLayerAvailability",
            Self::GetBlob { .. } => "ecr:GetDownloadUrlForLayer",
            Self::StartUpload { .. } => "ecr:InitiateLayerUpload",
            Self::UploadStatus { .. } | Self::UploadPart { .. } | Self::CancelUpload { .. } => {
                "ecr:UploadLayerPart"
            }
            Self::FinishUpload { .. } => "ecr:CompleteLayerUpload",
            Self::ListTags { .. } => "ecr:ListImages",
        }))
    }
}

fn only(method: &Method, expected: &Method, route: Route) -> Result<Route, NoRoute> {
    if method == expected {
        Ok(route)
    } else {
        Err(NoRoute::Method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_from_the_right() {
        let name = |text: &str| text.to_owned();
        for (method, path, route) in [
            (Method::GET, "/v2", Route::Ping),
            (Method::GET, "/v2/", Route::Ping),
            (
                Method::GET,
                "/v2/a/b/c/tags/list",
                Route::ListTags {
                    name: name("a/b/c"),
                },
            ),
            (
                Method::POST,
                "/v2/blobs/blobs/uploads/",
                Route::StartUpload {
                    name: name("blobs"),
                },
            ),
            (
                Method::POST,
                "/v2/a/blobs/uploads",
                Route::StartUpload { name: name("a") },
            ),
            (
                Method::GET,
                "/v2/tags/list/tags/list",
                Route::ListTags {
                    name: name("tags/list"),
                },
            ),
            (
                Method::HEAD,
                "/v2/a/manifests/v1",
                Route::GetManifest {
                    name: name("a"),
                    reference: name("v1"),
                },
            ),
            (
                Method::GET,
                "/v2/manifests/manifests/manifests",
                Route::GetManifest {
                    name: name("manifests"),
                    reference: name("manifests"),
                },
            ),
            (
                Method::PUT,
                "/v2/a/blobs/uploads/x",
                Route::FinishUpload {
                    name: name("a"),
                    id: name("x"),
                },
            ),
            (
                Method::HEAD,
                "/v2/a/blobs/d",
                Route::HeadBlob {
                    name: name("a"),
                    digest: name("d"),
                },
            ),
        ] {
            assert_eq!(Route::parse(&method, path), Ok(route), "{path}");
        }
    }

    #[test]
    fn deletes_and_referrers_have_routes() {
        let text = |text: &str| text.to_owned();
        for (method, path, route) in [
            (
                Method::DELETE,
                "/v2/a/manifests/v1",
                Route::DeleteManifest {
                    name: text("a"),
                    reference: text("v1"),
                },
            ),
            (
                Method::DELETE,
                "/v2/a/blobs/d",
                Route::DeleteBlob {
                    name: text("a"),
                    digest: text("d"),
                },
            ),
            (
                Method::GET,
                "/v2/referrers/referrers/d",
                Route::ListReferrers {
                    name: text("referrers"),
                    digest: text("d"),
                },
            ),
        ] {
            assert_eq!(Route::parse(&method, path), Ok(route), "{path}");
        }
    }

    #[test]
    fn what_is_not_served_has_no_route() {
        for (method, path, why) in [
            (Method::GET, "/v3/", NoRoute::Path),
            (Method::GET, "/v2/a", NoRoute::Path),
            (Method::GET, "/v2/_catalog", NoRoute::Path),
            (Method::POST, "/v2/", NoRoute::Method),
            (Method::GET, "/v2/a/blobs/uploads/", NoRoute::Method),
            (Method::POST, "/v2/a/manifests/v1", NoRoute::Method),
            (Method::PUT, "/v2/a/blobs/d", NoRoute::Method),
            (Method::PUT, "/v2/a/referrers/d", NoRoute::Method),
            (Method::POST, "/v2/a/tags/list", NoRoute::Method),
        ] {
            assert_eq!(Route::parse(&method, path), Err(why), "{path}");
        }
    }
}
