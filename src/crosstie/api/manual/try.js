"use strict";
// Swagger UI looks as the rest of the browser does.
const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", dress);
dress();

fetch("/openapi.json").then((answer) => answer.json()).then((spec) => {
  // calls go to where this page came from, whatever name of the machine was used for it
  spec.servers = [{ url: location.origin }];
  SwaggerUIBundle({
    spec,
    dom_id: "#ui",
    deepLinking: true,
    docExpansion: "none",
    filter: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    // no validator of somebody else is asked
    validatorUrl: null,
  });
});
