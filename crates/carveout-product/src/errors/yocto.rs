//! Errors of what a product says of BitBake.

carveout_host::errors! {
    /// What can be wrong with what a product says of BitBake.
    pub enum YoctoError("product::yocto") {
        /// The image is not the name of a recipe.
        NotARecipe { value: String } => usage "not-a-recipe":
            ("`{value}`: expected the name of a recipe: a-z, 0-9, - + and .");
        /// The distro is not the name of one.
        NotADistro { value: String } => usage "not-a-distro": ("`{value}`: expected the name of a distro");
        /// The address of a shared folder is not a URL that BitBake can use, or has a user or a password in it.
        NotAUrl { value: String } => usage "not-a-url":
            ("`{value}`: expected file:///DIR, http://HOST/DIR or https://HOST/DIR, without user and password: those \
              go into ~/.netrc of who runs BitBake");
        /// The address of a server is not a host and a port.
        NotAnAddress { value: String } => usage "not-an-address":
            ("`{value}`: expected HOST:PORT, such as build-cache.example:8686");
    }
}
