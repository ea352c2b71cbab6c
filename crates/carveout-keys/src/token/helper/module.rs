//! A PKCS#11 module with a session on a token.

use crate::token::order::{Failure, Order, Step};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11};
use cryptoki::error::{Error, Rv, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Bytes of a signature, at most.
const SIGNATURE: usize = 1024;

/// A module, with a session on the wanted token.
pub struct Module {
    path: PathBuf,
    pkcs11: Pkcs11,
    session: Session,
    pin: Option<AuthPin>,
}

impl Module {
    /// Loads it, finds the one token that meets what is wanted, and logs in.
    pub fn open(order: &Order) -> Result<Self, Failure> {
        let pkcs11 = Pkcs11::new(&order.module).map_err(|error| {
            let text = match &error {
                Error::LibraryLoading(error) => error.to_string(),
                Error::MissingSymbol(name) => format!("{}: it has no {name}", order.module.display()),
                _ => text(&error),
            };
            Failure::new(Step::Module, text)
        })?;
        // No flags: there is one thread.
        pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::empty())).map_err(failed(Step::Token))?;
        let (slot, info) = find(&pkcs11, &order.wanted)?;
        let session = pkcs11.open_ro_session(slot).map_err(failed(Step::Token))?;
        let pin = order.pin.clone().map(AuthPin::from);
        let module = Self { path: order.module.clone(), pkcs11, session, pin };
        if info.login_required() {
            if module.pin.is_none() && !info.protected_authentication_path() {
                return Err(Failure::new(Step::NoPin, ""));
            }
            module.login(UserType::User)?;
        }
        Ok(module)
    }

    fn login(&self, user: UserType) -> Result<(), Failure> {
        use RvError::{
            PinExpired, PinIncorrect, PinInvalid, PinLenRange, PinLocked, UserAlreadyLoggedIn,
            UserPinNotInitialized,
        };
        self.session.login(user, self.pin.as_ref()).or_else(|error| match error {
            Error::Pkcs11(UserAlreadyLoggedIn, _) => Ok(()),
            Error::Pkcs11(code @ (PinIncorrect | PinInvalid | PinLenRange), _) => {
                Err(Failure::new(Step::WrongPin, name(code)))
            }
            Error::Pkcs11(code @ (PinExpired | PinLocked | UserPinNotInitialized), _) => {
                Err(Failure::new(Step::LockedPin, name(code)))
            }
            error => Err(failed(Step::Token)(error)),
        })
    }

    /// Objects of a class with these attributes.
    pub fn objects(&self, class: ObjectClass, more: &[Attribute]) -> Result<Vec<ObjectHandle>, Failure> {
        let wanted = [&[Attribute::Class(class)], more].concat();
        self.session.find_objects(&wanted).map_err(failed(Step::Token))
    }

    /// An attribute. None if the object has none, does not tell it, or tells what the standard does not know.
    pub fn attribute(&self, object: ObjectHandle, kind: AttributeType) -> Result<Option<Attribute>, Failure> {
        match self.session.get_attributes(object, &[kind]) {
            Ok(attributes) => Ok(attributes.into_iter().next()),
            Err(error @ Error::Pkcs11(..)) => Err(failed(Step::Token)(error)),
            Err(_) => Ok(None),
        }
    }

    /// What a key makes of data. `asks`: the key wants the PIN for each signature.
    pub fn sign(
        &self,
        key: ObjectHandle,
        asks: bool,
        mechanism: &Mechanism,
        data: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        if !asks {
            return self.session.sign(mechanism, key, data).map_err(failed(Step::Sign));
        }
        self.session.sign_init(mechanism, key).map_err(failed(Step::Sign))?;
        self.login(UserType::ContextSpecific)?;
        self.finish(data).map_err(failed(Step::Sign))
    }

    /// C_Sign alone: the PIN is wanted between C_SignInit and it, and the crate calls both at once.
    fn finish(&self, data: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = vec![0; SIGNATURE];
        let (size, mut length) = (data.len().try_into()?, SIGNATURE.try_into()?);
        // SAFETY: the module is loaded and initialised, so this yields the same one again. The list is its own, and as long as it stays
        // loaded, it stays. C_Sign reads as many bytes as data has and writes as many as it is told.
        let code = unsafe {
            let module = cryptoki_sys::Pkcs11::new(&self.path).map_err(Error::LibraryLoading)?;
            let mut list = std::ptr::null_mut();
            Rv::from(module.C_GetFunctionList(&raw mut list)).into_result(Function::GetFunctionList)?;
            let sign = list.as_ref().and_then(|list| list.C_Sign).ok_or(Error::NullFunctionPointer)?;
            let (from, to) = (data.as_ptr().cast_mut(), signature.as_mut_ptr());
            sign(self.session.handle(), from, size, to, &raw mut length)
        };
        Rv::from(code).into_result(Function::Sign)?;
        signature.truncate(length.try_into()?);
        Ok(signature)
    }

    /// Ends the session, and the module's work.
    pub fn close(self) {
        drop(self.session);
        let _ = self.pkcs11.finalize();
    }
}

/// The slot of the one token that meets what is wanted, and what the token says of itself.
fn find(pkcs11: &Pkcs11, wanted: &BTreeMap<String, Vec<u8>>) -> Result<(Slot, TokenInfo), Failure> {
    let (mut found, mut seen) = (Vec::new(), Vec::new());
    for slot in pkcs11.get_slots_with_token().map_err(failed(Step::Token))? {
        let info = match pkcs11.get_token_info(slot) {
            Ok(info) if info.token_initialized() => info,
            Ok(_) => continue,
            // It may have been pulled out in between.
            Err(Error::Pkcs11(RvError::TokenNotPresent | RvError::TokenNotRecognized, _)) => continue,
            Err(error) => return Err(failed(Step::Token)(error)),
        };
        let has = [
            ("token", info.label()),
            ("manufacturer", info.manufacturer_id()),
            ("model", info.model()),
            ("serial", info.serial_number()),
            ("slot-id", &slot.id().to_string()),
        ]
        // Some fill up with zeros, not with spaces.
        .map(|(name, value)| (name, value.trim_end_matches([' ', '\0']).to_owned()));
        if has.iter().all(|(name, value)| wanted.get(*name).is_none_or(|wanted| wanted == value.as_bytes())) {
            found.push((slot, info));
        }
        let [(_, label), ..] = has;
        seen.push(label);
    }
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err(among(Step::SeveralTokens, seen)),
        (None, _) => Err(among(Step::NoToken, seen)),
    }
}

/// A failure with what is there instead.
pub fn among(step: Step, mut seen: Vec<String>) -> Failure {
    seen.sort();
    Failure { step, detail: String::new(), seen }
}

/// What a step says of an error.
fn failed(step: Step) -> impl FnOnce(Error) -> Failure {
    |error| Failure::new(step, text(&error))
}

/// Which function has failed with which code, as the standard names both.
fn text(error: &Error) -> String {
    match error {
        Error::Pkcs11(code, function) => format!("C_{function:?}: {}", name(*code)),
        error => error.to_string(),
    }
}

/// A code as the standard has it: the crate's PinIncorrect is CKR_PIN_INCORRECT.
fn name(code: RvError) -> String {
    match code {
        RvError::VendorDefined(number) | RvError::UnknownErrorCode(number) => format!("CKR {number:#x}"),
        code => format!("{code:?}").chars().fold("CKR".to_owned(), |mut name, letter| {
            if letter.is_uppercase() {
                name.push('_');
            }
            name.push(letter.to_ascii_uppercase());
            name
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_of_the_standard() {
        let error = Error::Pkcs11(RvError::UserPinNotInitialized, Function::Login);
        assert_eq!(text(&error), "C_Login: CKR_USER_PIN_NOT_INITIALIZED");
        assert_eq!(name(RvError::VendorDefined(0x8000_0001)), "CKR 0x80000001");
    }
}
