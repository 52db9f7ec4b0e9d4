/**
 * Shows the description of the API that this dispatcher answers with, and tries calls at this dispatcher alone. Who is
 * signed in to the dashboard calls as that; a token typed in goes before it, and is forgotten with the page.
 */

SwaggerUIBundle({
  dom_id: '#reader',
  url: '/openapi.json',
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  docExpansion: 'list',
  filter: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  // Nothing of the description leaves this machine to be checked elsewhere, and no address of a foreign page is taken.
  validatorUrl: null,
  queryConfigEnabled: false,
});
