import '@embedmill/embed/engine';
