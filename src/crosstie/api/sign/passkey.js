// Asks the device for a passkey, or for a new one, fills in the form that names the options, and sends it.
"use strict";
const form = document.querySelector("form[data-passkey]");
if (form && window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const options = JSON.parse(form.dataset.passkey);
    try {
      const made = options.rp
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
      form.elements.answer.value = JSON.stringify(made);
      form.submit();
    } catch (error) {
      console.info(error.name); // the person closed the device's window, or it has no passkey for this site
    }
  });
}
