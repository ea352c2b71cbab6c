//! Errors of key files. Nothing of a key is told.

/// The form of an SBK that is wanted.
const SBK: &str = "expected are four words of 32 bits, 0x######## 0x######## 0x######## 0x########, or one number of \
                   32 hexadecimal digits, or the 16 bytes of the key";
/// The form of a PKC that is wanted.
const PKC: &str = "expected is an RSA private key of 2048 or 3072 bits in PEM, without a password";

carveout_host::errors! {
    /// What can be wrong with the file of an SBK, the key that encrypts for fused boards.
    pub enum SbkError("product::sbk") {
        /// The SBK's file is empty.
        Empty => usage "empty": ("it is empty; {SBK}");
        /// The SBK's file is binary, and not 16 bytes long.
        WrongLength { bytes: usize } => usage "wrong-length": ("it has {bytes} bytes; {SBK}");
        /// One of the 16 bytes of the SBK is 0x30, so that NVIDIA's tool would take them for text.
        ByteReadAsText => usage "byte-read-as-text":
            ("one of its 16 bytes is 0x30, the character 0: NVIDIA's tool then reads it as text. Write it as words; \
              {SBK}");
        /// The words of the SBK are separated by commas.
        Commas => usage "commas": ("its words are separated by commas; {SBK}");
        /// The words of the SBK begin with 0X instead of 0x.
        CapitalPrefix => usage "capital-prefix": ("its words begin with 0X instead of 0x; {SBK}");
        /// The SBK's file is text, and not hexadecimal.
        NotHexadecimal => usage "not-hexadecimal": ("it is text, and no hexadecimal number; {SBK}");
        /// The lines of the SBK's file end as Windows ends lines.
        WindowsLineEnds => usage "windows-line-ends":
            ("its lines end as Windows ends lines (CRLF): NVIDIA's tool cannot read more than one such line; {SBK}");
        /// There is a tab between the words of the SBK.
        Tab => usage "tab": ("there is a tab between its words; {SBK}");
        /// The digits of the SBK have no 0 among them, so that NVIDIA's tool would take them for its bytes.
        DigitsReadAsBytes { characters: usize } => usage "digits-read-as-bytes":
            ("NVIDIA's tool takes {characters} characters without a 0 for the key's bytes: write 0x in front; {SBK}");
        /// The SBK is one number that is too short or too long.
        WrongNumber { digits: usize } => usage "wrong-number": ("it is one number of {digits} digits; {SBK}");
        /// The SBK has eight words, as that of another board has.
        EightWords => usage "eight-words":
            ("it has eight words, 32 bytes: that is the size of a key of Jetson AGX Orin, an SBK of Xavier has \
              16 bytes; {SBK}");
        /// A word of the SBK is too short or too long.
        WrongWord => usage "wrong-word": ("a word of it has more or fewer than 8 digits; {SBK}");
        /// The SBK has another number of words than four.
        WrongWordCount { words: usize } => usage "wrong-word-count": ("it has {words} words; {SBK}");
    }
}

carveout_host::errors! {
    /// What can be wrong with the file of a PKC, the key that signs for fused boards.
    pub enum PkcError("product::pkc") {
        /// The PKC's file is empty.
        Empty => usage "empty": ("it is empty; {PKC}");
        /// The PKC is in DER form.
        Der => usage "der":
            ("it is in DER form: `openssl rsa -inform DER -traditional -in FILE -out OTHER` makes a PEM file of it; \
              {PKC}");
        /// The PKC's file is not a PEM file.
        NotPem => usage "not-pem": ("it is no PEM file: it has no line -----BEGIN RSA PRIVATE KEY-----; {PKC}");
        /// The PKC's file has a public key.
        PublicKey => usage "public-key": ("it is a public key: the private one signs; {PKC}");
        /// The PKC's file has a certificate.
        Certificate => usage "certificate": ("it is a certificate: the private key signs; {PKC}");
        /// The PKC is encrypted with a password.
        Encrypted => usage "encrypted":
            ("it is encrypted with a password, which NVIDIA's tools do not ask for: `openssl rsa -traditional -in FILE \
              -out OTHER` writes it without one");
        /// The PKC is in the form of OpenSSH.
        OpenSsh => usage "openssh":
            ("it is in the form of OpenSSH: `ssh-keygen -p -m PEM -f COPY` writes a copy of it as PEM; {PKC}");
        /// The PKC is a key for elliptic curves.
        EllipticCurve => usage "elliptic-curve": ("it is a key for elliptic curves; {PKC}");
        /// The PKC's file is a PEM file without a private key.
        NoPrivateKey => usage "no-private-key": ("it is a PEM file without a private key; {PKC}");
        /// The key in the PKC's file is damaged.
        Damaged { label: String } => usage "damaged": ("what is between BEGIN and END {label} is damaged; {PKC}");
        /// The PKC has another size than NVIDIA's tools take.
        WrongSize { bits: usize } => usage "wrong-size": ("it is an RSA key of {bits} bits; {PKC}");
        /// The PKC is of another algorithm than RSA.
        OtherAlgorithm => usage "other-algorithm": ("it is a private key of another algorithm than RSA; {PKC}");
    }
}
